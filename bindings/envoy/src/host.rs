//! Envoy, as the proxy-wasm ABI 0.2.1 shows it: the only place that calls it, and that it calls.
//!
//! Decides nothing. The SDK (`proxy-wasm`) is not used: it panics on a header name that is not UTF-8 and on every status that it does not expect, and a
//! panic is an outage. Here everything is bytes, and every call can fail.
//!
//! Source: proxy-wasm specification v0.2.1; proxy-wasm-cpp-host, `src/exports.cc` and `src/wasm.cc`.

#![expect(unsafe_code, reason = "a foreign interface of raw pointers")]

use std::ptr::{null, null_mut};

use crate::vm;

/// A call that Envoy refused, by its status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HostError(u32);

impl HostError {
    /// There is no such thing.
    pub(crate) const NOT_FOUND: Self = Self(1);
    /// Envoy can make nothing of what it was given.
    pub(crate) const BAD_ARGUMENT: Self = Self(2);
    /// What was handed over is not what it should be.
    pub(crate) const PARSE_FAILURE: Self = Self(4);
    /// The value has been changed since it was read.
    pub(crate) const CAS_MISMATCH: Self = Self(8);

    /// Envoy's number of the status.
    pub(crate) const fn status(self) -> u32 {
        self.0
    }
}

/// How loud a line of the log is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    const fn number(self) -> u32 {
        match self {
            Self::Info => 2,
            Self::Warn => 3,
            Self::Error => 4,
        }
    }
}

/// Which fields are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Map {
    Request,
    RequestTrailers,
    Answer,
}

impl Map {
    const fn number(self) -> u32 {
        match self {
            Self::Request => 0,
            Self::RequestTrailers => 1,
            Self::Answer => 6,
        }
    }
}

/// Which bytes are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffer {
    RequestBody,
    AnswerBody,
    Configuration,
}

impl Buffer {
    const fn number(self) -> u32 {
        match self {
            Self::RequestBody => 0,
            Self::AnswerBody => 4,
            Self::Configuration => 7,
        }
    }
}

/// What Envoy does with a stream after an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// It goes on.
    Continue,
    /// It is held: of the head and the body nothing goes upstream.
    Pause,
}

impl Action {
    const fn number(self) -> u32 {
        match self {
            Self::Continue => 0,
            Self::Pause => 1,
        }
    }
}

/// A counter of Envoy's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter(u32);

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, length: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, most: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(kind: u32, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_add_header_map_value(
        kind: u32,
        name: *const u8,
        name_length: usize,
        value: *const u8,
        length: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(kind: u32, name: *const u8, length: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_length: usize, data: *mut *mut u8, length: *mut usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_length: usize,
        body: *const u8,
        body_length: usize,
        headers: *const u8,
        headers_length: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(kind: u32) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_get_shared_data(
        name: *const u8,
        name_length: usize,
        data: *mut *mut u8,
        length: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(name: *const u8, name_length: usize, data: *const u8, length: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, length: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_length: usize,
        argument: *const u8,
        argument_length: usize,
        data: *mut *mut u8,
        length: *mut usize,
    ) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_length: usize,
        headers: *const u8,
        headers_length: usize,
        body: *const u8,
        body_length: usize,
        trailers: *const u8,
        trailers_length: usize,
        milliseconds: u32,
        call: *mut u32,
    ) -> u32;
}

fn succeeded(status: u32) -> Result<(), HostError> {
    if status == 0 { Ok(()) } else { Err(HostError(status)) }
}

/// Bytes that Envoy has written into memory that it got from [`allocate`].
fn taken(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let (mut data, mut length) = (null_mut::<u8>(), 0_usize);
    succeeded(call(&raw mut data, &raw mut length))?;
    if data.is_null() || length == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: Envoy got `data` from `allocate(length)`, wrote `length` bytes there and keeps no hold of it (specification, "Memory management").
    Ok(unsafe { Vec::from_raw_parts(data, length, length) })
}

/// Writes a line to Envoy's log, if its level is wanted there.
pub(crate) fn log(level: Level, text: &str) {
    // SAFETY: Envoy reads `text` before it returns. Of a log that cannot be written, nobody can be told.
    let _ = unsafe { proxy_log(level.number(), text.as_ptr(), text.len()) };
}

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) fn nanoseconds() -> Result<u64, HostError> {
    let mut time = 0;
    // SAFETY: Envoy writes eight bytes.
    succeeded(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// From now on there is a tick so often.
pub(crate) fn tick_every(milliseconds: u32) -> Result<(), HostError> {
    // SAFETY: takes no pointer.
    succeeded(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// At most `most` bytes of a buffer, from `start` on.
pub(crate) fn bytes(buffer: Buffer, start: usize, most: usize) -> Result<Vec<u8>, HostError> {
    // SAFETY: Envoy writes a pointer and a length.
    taken(|data, length| unsafe { proxy_get_buffer_bytes(buffer.number(), start, most, data, length) })
}

/// The fields of a map, packed: see [`crate::pairs`].
pub(crate) fn fields(map: Map) -> Result<Vec<u8>, HostError> {
    // SAFETY: Envoy writes a pointer and a length.
    taken(|data, length| unsafe { proxy_get_header_map_pairs(map.number(), data, length) })
}

/// Adds a field to the head of the request.
pub(crate) fn add_header(name: &str, value: &str) -> Result<(), HostError> {
    let map = Map::Request.number();
    // SAFETY: Envoy reads both before it returns.
    succeeded(unsafe { proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Removes every field of that name.
pub(crate) fn remove(map: Map, name: &[u8]) -> Result<(), HostError> {
    // SAFETY: Envoy reads the name before it returns.
    succeeded(unsafe { proxy_remove_header_map_value(map.number(), name.as_ptr(), name.len()) })
}

/// A property of the stream; its path with NUL between the parts.
pub(crate) fn property(path: &[u8]) -> Result<Vec<u8>, HostError> {
    // SAFETY: Envoy reads the path before it returns, and writes a pointer and a length.
    taken(|data, length| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, length) })
}

/// Answers the request; `headers` are packed as in [`crate::pairs`]. `details` is for Envoy's access log.
pub(crate) fn answer(status: u16, details: &str, headers: &[u8], body: &str) -> Result<(), HostError> {
    // SAFETY: Envoy reads all of it before it returns.
    succeeded(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}

/// Lets a paused request go on.
pub(crate) fn resume() -> Result<(), HostError> {
    // SAFETY: takes no pointer.
    succeeded(unsafe { proxy_continue_stream(0) })
}

/// From now on the calls of this event are about another stream, or about the filter itself.
pub(crate) fn turn_to(context: u32) -> Result<(), HostError> {
    // SAFETY: takes no pointer.
    succeeded(unsafe { proxy_set_effective_context(context) })
}

/// A shared value, and the number that stands for this state of it.
pub(crate) fn shared(name: &str) -> Result<(Vec<u8>, u32), HostError> {
    let mut cas = 0;
    // SAFETY: Envoy reads the name before it returns, and writes a pointer, a length and a number.
    let value =
        taken(|data, length| unsafe { proxy_get_shared_data(name.as_ptr(), name.len(), data, length, &raw mut cas) })?;
    Ok((value, cas))
}

/// Sets a shared value, if it is still in the state that `cas` stands for, or is not there at all.
pub(crate) fn set_shared(name: &str, value: &[u8], cas: u32) -> Result<(), HostError> {
    // SAFETY: Envoy reads both before it returns.
    succeeded(unsafe { proxy_set_shared_data(name.as_ptr(), name.len(), value.as_ptr(), value.len(), cas) })
}

/// The counter of that name.
pub(crate) fn counter(name: &str) -> Result<Counter, HostError> {
    let mut id = 0;
    // SAFETY: Envoy reads the name before it returns, and writes a number.
    succeeded(unsafe { proxy_define_metric(0, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(Counter(id))
}

/// Counts one.
pub(crate) fn count(counter: Counter) {
    // SAFETY: takes no pointer. A counter that is gone changes no verdict.
    let _ = unsafe { proxy_increment_metric(counter.0, 1) };
}

/// Calls a function that this Envoy may have.
pub(crate) fn foreign(name: &str, argument: &[u8]) -> Result<Vec<u8>, HostError> {
    // SAFETY: Envoy reads both before it returns, and writes a pointer and a length.
    taken(|data, length| unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            data,
            length,
        )
    })
}

/// Sends a request to a cluster; its number. `headers` are packed as in [`crate::pairs`].
pub(crate) fn call(cluster: &str, headers: &[u8], body: &[u8], milliseconds: u32) -> Result<u32, HostError> {
    let mut call = 0;
    // SAFETY: Envoy reads all of it before it returns, and writes a number.
    succeeded(unsafe {
        proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            null(),
            0,
            milliseconds,
            &raw mut call,
        )
    })?;
    Ok(call)
}

/// Ends the VM: what Envoy then does is its `failure_policy`. For the case that a request can neither be answered nor held.
pub(crate) fn abort() -> ! {
    core::arch::wasm32::unreachable()
}

/// Memory for bytes that Envoy hands over.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(length: usize) -> *mut u8 {
    let mut bytes = std::mem::ManuallyDrop::new(Vec::<u8>::with_capacity(length));
    bytes.as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    vm::created(context, parent);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, length: usize) -> u32 {
    u32::from(vm::configured(context, length))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    vm::ticked(context);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _fields: u32, is_last: u32) -> u32 {
    vm::head_came(context, is_last != 0).number()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(context: u32, length: usize, is_last: u32) -> u32 {
    vm::body_came(context, length, is_last != 0).number()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(context: u32, _fields: u32) -> u32 {
    vm::trailers_came(context).number()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(context: u32, call: u32, fields: u32, length: usize, _trailers: u32) {
    vm::answered(context, call, fields != 0, length);
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    vm::deleted(context);
}
