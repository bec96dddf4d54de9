// An authorization server: it issues opaque tokens (RFC 6749 §4.4, RFC 8707), revokes them (RFC 7009) and tells of them (RFC 7662).

import { randomBytes } from 'node:crypto'
import { createServer } from 'node:https'

import { text } from '../support/wire.mjs'

/** @param clients By id: `secret`; and of those that are given tokens the `username`, the `scope` and the `lifetime` in seconds. */
export function authorizationServer({ issuer, clients, tls }) {
  const tokens = new Map()

  const endpoints = {
    '/token': (client_id, form) => {
      const { username, scope, lifetime } = clients[client_id]
      const access_token = randomBytes(32).toString('base64url')
      const iat = now()
      tokens.set(access_token, { iss: issuer, aud: form.get('resource'), sub: client_id, client_id, username, scope, iat, exp: iat + lifetime })
      return { access_token, token_type: 'Bearer', expires_in: lifetime, scope }
    },
    '/revoke': (_, form) => {
      tokens.delete(form.get('token'))
      return {}
    },
    '/introspect': (_, form) => {
      const claims = tokens.get(form.get('token'))
      return claims === undefined || claims.exp <= now() ? { active: false } : { active: true, token_type: 'Bearer', ...claims }
    },
  }

  return createServer(tls, async (request, response) => {
    const [id, secret] = Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString().split(':')
    const form = new URLSearchParams(await text(request))
    if (!Object.hasOwn(clients, id) || clients[id].secret !== secret) return response.writeHead(401).end()
    if (request.method !== 'POST' || !Object.hasOwn(endpoints, request.url)) return response.writeHead(404).end()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(endpoints[request.url](id, form)))
  })
}

function now() {
  return Math.floor(Date.now() / 1000)
}
