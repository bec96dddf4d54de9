// The first script: looks whether the browser can do what the page needs, then hands over.

import { lacking } from './support.js'

async function begin() {
  const lacks = lacking()
  if (lacks.length === 0) {
    try {
      const { App } = await import('./app.js')
      await new App().start()
      return
    } catch (error) {
      // Syntax that the browser does not know, or a file that did not come: both keep the page from working.
      lacks.push(error instanceof SyntaxError ? 'the JavaScript of this page' : `a part of this page that did not load (${String(error)})`)
    }
  }
  const { unsupported } = await import('./view/unsupported.js')
  unsupported(lacks)
}

begin()
