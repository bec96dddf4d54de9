// What a person does on the page: reads, clicks, types; and waits until something is so, never for a time.


const PATIENCE = 90_000

/** Waits for a state of the page. */
export async function state(page, ...names) {
  await page.waitForFunction((wanted) => wanted.includes(document.body.dataset.state), { timeout: PATIENCE, polling: 50 }, names)
  return page.evaluate(() => document.body.dataset.state)
}

export const click = (page, name) => page.locator(`main ::-p-aria([name="${name}"][role="button"])`).click()
export const heading = (page) => page.$eval('h1', (found) => found.textContent)
export const text = (page) => page.$eval('main', (found) => found.innerText)
export const status = (page) => page.$eval('#status', (found) => found.textContent)
export const focused = (page) => page.evaluate(() => document.activeElement?.tagName.toLowerCase())

/** Chooses exactly these ports. */
export async function choose(page, ports) {
  await click(page, 'Choose what is tested')
  await state(page, 'consent')
  await click(page, 'Tick none')
  for (const port of ports) {
    await page.locator('#add-port').fill(String(port))
    await click(page, 'Add')
    await page.waitForSelector(`#port-${port}`)
  }
}

