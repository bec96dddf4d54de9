// Real browsers for the tests, and which names they take for this machine.

import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

import { launch } from 'puppeteer-core'

/** What $VARIABLE names, else what is on the path. */
function found(variable, program) {
  const named = process.env[variable]
  if (named) return named
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
  return folders.map((folder) => join(folder, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The browsers: where each is, and how it is started so that `names` are this machine. */
export const BROWSERS = {
  Chromium: {
    variable: 'CHROMIUM',
    path: () => found('CHROMIUM', 'chromium'),
    options: (names) => ({
      args: [
        '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
        '--disable-sync', `--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(',')}`,
      ],
    }),
  },
  Firefox: {
    variable: 'FIREFOX',
    path: () => found('FIREFOX', 'firefox-esr'),
    options: (names) => ({ browser: 'firefox', extraPrefsFirefox: { 'network.dns.localDomains': names.join(',') } }),
  },
}

/** Starts a browser until the test ends; undefined, and the test skipped, if there is none. */
export async function browser(t, name, names = []) {
  const { variable, path, options } = BROWSERS[name]
  const executablePath = path()
  if (executablePath === undefined) return void t.skip(`there is no ${name}: ${variable} names none, and none is on the path`)
  const userDataDir = mkdtempSync(join(tmpdir(), 'hostbound-browser-'))
  const started = await launch({ executablePath, userDataDir, headless: true, ...options(names) })
  t.after(async () => {
    await started.close()
    rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 })
  })
  return started
}
