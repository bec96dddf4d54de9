// axe-core in the page's own document. The page's policy lets no foreign script in, so the debugger's own world brings it.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const SOURCE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** What a page is looked at in. */
export const SIGHTS = [
  { name: 'light' },
  { name: 'dark', features: [{ name: 'prefers-color-scheme', value: 'dark' }] },
  { name: 'forced colours', features: [{ name: 'forced-colors', value: 'active' }] },
  { name: '320 px and reduced motion', width: 320, features: [{ name: 'prefers-reduced-motion', value: 'reduce' }] },
]

/** What axe finds wrong in each sight, and whether the page has to be scrolled sideways; one line each. */
export async function lookAt(page, sights = SIGHTS) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(SOURCE)
  const wrong = []
  const session = await page.createCDPSession()
  // Of puppeteer's own, forced colours are not one.
  const emulate = (features) => session.send('Emulation.setEmulatedMedia', { features })
  for (const { name, features = [], width = 1000 } of sights) {
    await page.setViewport({ width, height: 800 })
    await emulate(features)
    const found = await page.evaluate(
      async (tags) => {
        const rules = { 'target-size': { enabled: true } }
        // Frames are foreign documents: the page answers for their titles, which are in its own.
        const { violations } = await globalThis.axe.run(document, { runOnly: tags, rules, iframes: false, resultTypes: ['violations'] })
        const lines = violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')}: ${failureSummary}`))
        const { scrollWidth, clientWidth } = document.documentElement
        if (scrollWidth > clientWidth) lines.push(`it is ${scrollWidth} wide in ${clientWidth}`)
        return lines
      },
      TAGS,
    )
    wrong.push(...found.map((line) => `${name}: ${line}`))
  }
  await emulate([])
  await session.detach()
  await page.setViewport({ width: 1000, height: 800 })
  return wrong
}
