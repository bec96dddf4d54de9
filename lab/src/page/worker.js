importScripts('/attempt.js')

onmessage = async ({ data: { url, marker, secretPrefix } }) => {
  try {
    postMessage({ read: await fetchAttempt(url, marker, secretPrefix) })
  } catch (error) {
    postMessage({ error: String(error) })
  }
}
postMessage({ ready: true })
