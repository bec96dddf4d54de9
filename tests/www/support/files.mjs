// Where things are.

import { fileURLToPath } from 'node:url'

const ROOT = new URL('../../../', import.meta.url)

/** The folder of the page. */
export const WWW = fileURLToPath(new URL('www/', ROOT))
/** The name of the page in the lab: of another site than the attackers'. */
export const PAGE_NAME = 'self-test.hostbound.example'
/** The folder of the npm package, which is the guard. */
export const PACKAGE = fileURLToPath(new URL('bindings/node', ROOT))
/** A module of the page. */
export const moduleOf = (name) => new URL(`www/js/${name}`, ROOT).href
export const COMMAND = process.env.HOSTBOUND_CLI ?? 'hostbound'
export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium'
export const FIREFOX = process.env.FIREFOX || '/usr/bin/firefox-esr'
