// Copies a text. The lab's page is plain http, where browsers have no clipboard interface: then the old command does it.

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
export async function copy(text) {
  if (navigator.clipboard !== undefined) {
    try {
      await navigator.clipboard.writeText(text)
      return true
    } catch {
      // Not allowed; the command may be.
    }
  }
  return copyByCommand(text)
}

/** @param {string} text */
function copyByCommand(text) {
  const focused = document.activeElement
  const area = document.createElement('textarea')
  area.className = 'unseen'
  area.setAttribute('aria-hidden', 'true')
  area.readOnly = true
  area.value = text
  document.body.append(area)
  area.select()
  try {
    return document.execCommand('copy')
  } catch {
    return false
  } finally {
    area.remove()
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true })
  }
}
