// Guards the page and then starts the app, for pages without a build:
// <script type="module" src="/hostbound-0.1.0/dist/browser/boot.js" data-policy="/hostbound.public.json" data-app="/app.js" data-worker="/sw.js"></script>

import { protect } from '../browser.js'
import { HostboundError } from '../errors.js'
import { dom } from './dom.js'

const own = [...dom.scripts(document)].find(({ src }) => src === import.meta.url)
const { policy, app, worker } = own?.dataset ?? {}
if (policy === undefined || app === undefined) {
  throw new HostboundError('HOSTBOUND_OPTION', 'the script that starts the guard has `data-policy` and `data-app`')
}
const absolute = (url: string): string => new URL(url, dom.baseUri(document)).href
await protect(absolute(policy), { worker: worker === undefined ? undefined : absolute(worker) })
await import(absolute(app))
