import { getter, setter, unbound } from './natives.js'

// INVARIANT: nothing is read of `document` or `window` themselves: an element's `name` or `id` stands before what their prototypes have.

/** What a document has, whatever its elements are called. Where there are no documents the modules can be loaded, but do nothing. */
export const dom = (typeof Document === 'undefined' ? {} : taken()) as ReturnType<typeof taken>

function taken() {
  return {
    baseUri: getter(Node.prototype, 'baseURI'),
    body: getter(Document.prototype, 'body'),
    createElement: unbound(Document.prototype.createElement as (this: Document, name: string) => HTMLElement),
    dispatchEvent: unbound(EventTarget.prototype.dispatchEvent),
    documentElement: getter(Document.prototype, 'documentElement'),
    scripts: getter(Document.prototype, 'scripts'),
    setTitle: setter(Document.prototype, 'title'),
  } as const
}
