//! One VM of Envoy's, which is one worker: its filters and the requests before them, by Envoy's numbers.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use crate::host::{self, Action, Buffer, Level};
use crate::plugin::Plugin;
use crate::stream::Stream;

#[derive(Default)]
struct Vm {
    plugins: FxHashMap<u32, Plugin>,
    streams: FxHashMap<u32, Stream>,
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
}

fn with<T>(run: impl FnOnce(&mut Vm) -> T) -> T {
    VM.with(|vm| match vm.try_borrow_mut() {
        Ok(mut vm) => run(&mut vm),
        // INVARIANT: Envoy makes no event while it is called from one.
        Err(_) => host::abort(),
    })
}

impl Vm {
    /// The request and its filter. Without a filter nothing is allowed.
    fn on_stream(&mut self, context: u32, run: impl FnOnce(&mut Stream, &mut Plugin) -> Action) -> Action {
        let stream = self.streams.get_mut(&context);
        let found = stream.and_then(|stream| Some((self.plugins.get_mut(&stream.root())?, stream)));
        match found {
            Some((plugin, stream)) => run(stream, plugin),
            None => {
                host::log(
                    Level::Error,
                    "hostbound: a request before a filter that was not configured",
                );
                crate::plugin::refuse()
            }
        }
    }
}

pub(crate) fn created(context: u32, parent: u32) {
    if parent != 0 {
        with(|vm| vm.streams.insert(context, Stream::new(context, parent)));
    }
}

pub(crate) fn deleted(context: u32) {
    with(|vm| {
        if vm.streams.remove(&context).is_none() {
            vm.plugins.remove(&context);
        }
    });
}

/// False refuses the configuration: Envoy keeps the one before, or does not start.
pub(crate) fn configured(context: u32, length: usize) -> bool {
    let plugin = match host::bytes(Buffer::Configuration, 0, length) {
        Ok(bytes) => Plugin::new(context, &zeroize::Zeroizing::new(bytes)),
        Err(error) => Err(format!("Envoy gives no configuration (status {})", error.status())),
    };
    match plugin {
        Ok(plugin) => {
            with(|vm| vm.plugins.insert(context, plugin));
            true
        }
        Err(why) => {
            for line in why.lines() {
                host::log(Level::Error, &format!("hostbound: {line}"));
            }
            false
        }
    }
}

pub(crate) fn ticked(context: u32) {
    with(|vm| {
        if let Some(plugin) = vm.plugins.get_mut(&context) {
            go_on(plugin, &mut vm.streams);
            plugin.tick();
        }
    });
}

pub(crate) fn head_came(context: u32, is_last: bool) -> Action {
    with(|vm| vm.on_stream(context, |stream, plugin| stream.head_came(plugin, is_last)))
}

pub(crate) fn body_came(context: u32, length: usize, is_last: bool) -> Action {
    with(|vm| vm.on_stream(context, |stream, plugin| stream.body_came(plugin, length, is_last)))
}

pub(crate) fn trailers_came(context: u32) -> Action {
    with(|vm| vm.on_stream(context, |stream, plugin| stream.trailers_came(plugin)))
}

/// An answer of another server came, or there is none.
pub(crate) fn answered(context: u32, call: u32, is_there: bool, length: usize) {
    with(|vm| {
        let Vm { plugins, streams } = vm;
        let answer = crate::plugin::answer(is_there, length);
        let Some(plugin) = plugins.get_mut(&context) else {
            return;
        };
        if let Some(section) = plugin.keys_came(call, answer.as_ref()) {
            let waiting = streams.values().filter(|stream| stream.waits_for(context, &section));
            plugin.release(waiting.map(Stream::context));
            go_on(plugin, streams);
        } else if let Some(stream) = plugin.asked(call).and_then(|stream| streams.get_mut(&stream)) {
            stream.introspected(plugin, answer.as_ref());
        }
    });
}

/// Some of the requests whose keys came go on.
fn go_on(plugin: &mut Plugin, streams: &mut FxHashMap<u32, Stream>) {
    for context in plugin.next() {
        if let Some(stream) = streams.get_mut(&context) {
            stream.keys_came(plugin);
        }
    }
}
