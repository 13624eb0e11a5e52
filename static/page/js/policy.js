/**
 * Whether the page's own headers forbid it the microphone: Permissions-Policy, or its
 * forerunner Feature-Policy, which reverse proxies like to add for safety's sake. Then the
 * browser refuses as if the person had, and no click of theirs helps.
 * @module
 */

/** How long the server may take to show its headers, in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/**
 * @returns {Promise<string>} the header that forbids it, to be shown; empty when none does, or
 *   when nothing is known of any
 */
export async function microphonePolicy() {
  const policy = /** @type {any} */ (document).permissionsPolicy ?? /** @type {any} */ (document).featurePolicy;
  if (policy?.allowsFeature('microphone')) {
    return '';
  }
  // Not every browser tells what holds, but each shows what came.
  const response = await fetch(document.baseURI, {
    method: 'HEAD',
    cache: 'no-store',
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  }).catch(() => null);
  const found = response ? forbiddingPolicy(response.headers) : '';
  return found || (policy ? 'Permissions-Policy' : '');
}

/**
 * @param {Headers} headers of the page
 * @returns {string} the header that forbids the microphone to the page itself, '' for none
 */
export function forbiddingPolicy(headers) {
  // A dictionary (RFC 9651, section 3.2): of equal names the last one counts.
  const permissions = parts(headers.get('Permissions-Policy') ?? '', ',').filter((p) => /^microphone\s*=/.test(p));
  const last = permissions.at(-1);
  if (last !== undefined) {
    const allowed = /[=(\s](\*|self)([)\s]|$)/.test(last) || last.includes(`"${location.origin}"`);
    return allowed ? '' : `Permissions-Policy: ${last}`;
  }
  const features = parts(headers.get('Feature-Policy') ?? '', /[;,]/).find((p) => /^microphone(\s|$)/.test(p));
  if (features !== undefined) {
    const allowed = /^microphone$|\s(\*|'self')(\s|$)/.test(features) || features.includes(location.origin);
    return allowed ? '' : `Feature-Policy: ${features}`;
  }
  return '';
}

/**
 * @param {string} header
 * @param {string | RegExp} separator
 */
function parts(header, separator) {
  return header
    .split(separator)
    .map((part) => part.trim())
    .filter(Boolean);
}
