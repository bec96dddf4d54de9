import type { HostboundError } from '../errors.js'
import { dom } from './dom.js'
import { PageError } from './error.js'

/** What people read in place of a page that is refused. */
export function notice(error: HostboundError, allowed: readonly string[]): { title: string; lines: string[] } {
  if (!(error instanceof PageError)) {
    return {
      title: 'This page was not started',
      lines: ['Whether it may start under this name could not be found out, so it was not started.', error.message],
    }
  }
  const lines = [`It was opened as ${location.host || location.href}, a name that it does not answer to. A link, or another site, may have brought you here.`]
  if (allowed.length > 0) lines.push(`It answers to: ${allowed.join(', ')}.`)
  lines.push(`${error.verdict.reason ?? ''} (${error.verdict.rule ?? 'hosts'})`)
  return { title: 'This page was not started', lines }
}

/** Puts it in the place of the document's body. Text alone: nothing of it is read as markup. */
export function show({ title, lines }: { title: string; lines: string[] }): void {
  const main = dom.createElement(document, 'main')
  main.setAttribute('role', 'alert')
  const heading = dom.createElement(document, 'h1')
  heading.append(title)
  main.append(heading)
  for (const line of lines) {
    const paragraph = dom.createElement(document, 'p')
    paragraph.append(line)
    main.append(paragraph)
  }
  dom.setTitle(document, title)
  // A script may run before there is a body.
  const place = dom.body(document) as HTMLElement | null
  ;(place ?? dom.documentElement(document)).replaceChildren(main)
}
