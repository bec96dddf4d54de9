// The parts of an Envoy bootstrap: listeners on Unix sockets, clusters on Unix sockets, and the filter under test.

const type = (name) => ({ '@type': `type.googleapis.com/${name}` })

/** Far beyond the engine's own limits, so that the engine is what refuses. */
const MOST_HEADERS = 2000
const MOST_KIB_OF_HEAD = 8192
const MOST_BYTES_OF_BODY = 4 << 20

/** The bootstrap of an Envoy with these listeners and clusters. */
export function bootstrap(listeners, clusters) {
  return { static_resources: { listeners, clusters } }
}

/** A cluster of one server on a Unix socket. */
export function cluster(name, path) {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }] },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        ...type('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
        common_http_protocol_options: { max_headers_count: MOST_HEADERS },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
  }
}

/**
 * A listener on a Unix socket, for HTTP/1 and HTTP/2, whose connections may say their peer by the PROXY protocol. With `tls`, the paths of a
 * certificate and its key, it is one of https.
 */
export function listener(name, path, upstream, filters, tls = undefined) {
  const chain = { filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: connectionManager(upstream, filters) }] }
  if (tls !== undefined) chain.transport_socket = { name: 'envoy.transport_sockets.tls', typed_config: tlsContext(tls) }
  return {
    name,
    address: { pipe: { path } },
    per_connection_buffer_limit_bytes: MOST_BYTES_OF_BODY,
    listener_filters: [
      {
        name: 'envoy.filters.listener.proxy_protocol',
        typed_config: { ...type('envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol'), allow_requests_without_proxy_protocol: true },
      },
    ],
    filter_chains: [chain],
  }
}

/** Set so that as much as possible gets to the filters, as it came. */
function connectionManager(upstream, filters) {
  const route = { cluster: upstream, timeout: '0s' }
  return {
    ...type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'test',
    codec_type: 'AUTO',
    // Without it X-Forwarded-For says who the peer is.
    use_remote_address: true,
    skip_xff_append: true,
    always_set_request_id_in_response: true,
    normalize_path: false,
    merge_slashes: false,
    path_with_escaped_slashes_action: 'KEEP_UNCHANGED',
    max_request_headers_kb: MOST_KIB_OF_HEAD,
    common_http_protocol_options: { max_headers_count: MOST_HEADERS, headers_with_underscores_action: 'ALLOW' },
    http_protocol_options: { accept_http_10: true, allow_chunked_length: true, enable_trailers: true, allow_custom_methods: true },
    http2_protocol_options: { allow_connect: true, override_stream_error_on_invalid_http_message: true },
    upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            { match: { connect_matcher: {} }, route },
            { match: { prefix: '/' }, route },
          ],
        },
      ],
    },
    http_filters: [...filters, { name: 'envoy.filters.http.router', typed_config: type('envoy.extensions.filters.http.router.v3.Router') }],
  }
}

function tlsContext({ certificate, key }) {
  return {
    ...type('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
    common_tls_context: {
      alpn_protocols: ['h2', 'http/1.1'],
      tls_certificates: [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }],
    },
  }
}

/**
 * The filter, with a configuration. Filters of one `vm` share a replay store, of which one filter of a name uses a part; those that have `name` and
 * configuration in common are one and the same, and so share what is kept of tokens.
 */
export function hostboundFilter(module, configuration, { vm = 'hostbound', name = 'hostbound' } = {}) {
  return {
    name: 'envoy.filters.http.wasm',
    typed_config: {
      ...type('envoy.extensions.filters.http.wasm.v3.Wasm'),
      config: {
        name,
        root_id: name,
        failure_policy: 'FAIL_RELOAD',
        allow_on_headers_stop_iteration: true,
        configuration: { ...type('google.protobuf.StringValue'), value: JSON.stringify(configuration) },
        vm_config: { vm_id: vm, runtime: 'envoy.wasm.runtime.v8', code: { local: { filename: module } } },
      },
    },
  }
}
