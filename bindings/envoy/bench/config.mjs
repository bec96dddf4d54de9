// The configurations that are compared: one Envoy for each, which answers by itself.

const type = (name) => ({ '@type': `type.googleapis.com/${name}` })

const router = {
  name: 'envoy.filters.http.router',
  typed_config: type('envoy.extensions.filters.http.router.v3.Router'),
}

/** A filter in wasm. `allowed`: all that it may call, and be called for. */
export function wasm(filename, configuration, allowed) {
  const value = configuration === undefined ? '' : JSON.stringify(configuration)
  return {
    name: 'envoy.filters.http.wasm',
    typed_config: {
      ...type('envoy.extensions.filters.http.wasm.v3.Wasm'),
      config: {
        name: 'hostbound',
        failure_policy: 'FAIL_RELOAD',
        allow_on_headers_stop_iteration: true,
        configuration: { ...type('google.protobuf.StringValue'), value },
        vm_config: { vm_id: 'bench', runtime: 'envoy.wasm.runtime.v8', code: { local: { filename } } },
        ...(allowed === undefined ? {} : { capability_restriction_config: { allowed_capabilities: allowed } }),
      },
    },
  }
}

/** Waits for the whole request: else Envoy would answer before it has come. */
export const buffer = {
  name: 'envoy.filters.http.buffer',
  typed_config: { ...type('envoy.extensions.filters.http.buffer.v3.Buffer'), max_request_bytes: 65_536 },
}

/** A list of hosts in Lua: what people write today. */
export const lua = {
  name: 'envoy.filters.http.lua',
  typed_config: {
    ...type('envoy.extensions.filters.http.lua.v3.Lua'),
    default_source_code: {
      inline_string: `
local allowed = { ['localhost'] = true, ['127.0.0.1'] = true }
function envoy_on_request(handle)
  local headers = handle:headers()
  local host = string.lower(headers:get(':authority') or '')
  local name = string.match(host, '^(.-):%d+$') or host
  local origin = headers:get('origin')
  if not allowed[name] or (origin and origin ~= 'http://' .. host) then
    handle:respond({ [':status'] = '421' }, 'host_not_allowed')
  end
end`,
    },
  },
}

/** Envoy's own filter for tokens. */
export function jwtAuthn(jwks, { cached }) {
  return {
    name: 'envoy.filters.http.jwt_authn',
    typed_config: {
      ...type('envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication'),
      providers: {
        main: {
          issuer: 'https://auth.example.com/',
          audiences: ['myapi.example.com'],
          local_jwks: { inline_string: JSON.stringify(jwks) },
          ...(cached ? { jwt_cache_config: { jwt_cache_size: 100 } } : {}),
        },
      },
      rules: [{ match: { prefix: '/' }, requires: { provider_name: 'main' } }],
    },
  }
}

/** A whole configuration of Envoy. */
export function bootstrap(port, filters) {
  const route = { match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'ok\n' } } }
  const manager = {
    ...type('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    use_remote_address: true,
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
    http_filters: [...filters, router],
  }
  const chain = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }]
  const address = { socket_address: { address: '127.0.0.1', port_value: port } }
  return { static_resources: { listeners: [{ name: 'bench', address, filter_chains: [{ filters: chain }] }] } }
}
