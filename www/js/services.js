// Services that are known to be attacked by DNS rebinding, and where that is known from.

/** What Singularity's payloads recognise, at the ports of its `manager-config.json`. */
const SINGULARITY = 'Singularity of Origin'

/** @type {readonly {name: string, port: number, source: string}[]} */
export const SERVICES = [
  { name: 'Rails, development server', port: 3000, source: SINGULARITY },
  { name: 'pyethapp', port: 4000, source: SINGULARITY },
  { name: 'Jenkins', port: 8080, source: SINGULARITY },
  { name: 'H2 console', port: 8082, source: SINGULARITY },
  { name: 'ComfyUI', port: 8188, source: SINGULARITY },
  { name: 'Duplicati', port: 8200, source: SINGULARITY },
  { name: 'Ray dashboard', port: 8265, source: `${SINGULARITY}, CVE-2025-62593` },
  { name: 'Chrome DevTools, node inspector', port: 9333, source: SINGULARITY },
  { name: 'Ollama', port: 11434, source: SINGULARITY },
  { name: 'Docker API', port: 2376, source: SINGULARITY },
  { name: 'etcd', port: 2379, source: SINGULARITY },
].sort((one, other) => one.port - other.port)

/**
 * What is known to live at a port.
 *
 * @param {number} port
 * @returns {string | null}
 */
export function serviceAt(port) {
  return SERVICES.find((service) => service.port === port)?.name ?? null
}
