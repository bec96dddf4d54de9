// Hands a file to the user: made in the page, sent nowhere.

/** @param {string} name @param {string} type @param {string} content */
export function download(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.hidden = true
  document.body.append(link)
  link.click()
  link.remove()
  // The download holds on to the blob itself; a minute is plenty to begin it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
