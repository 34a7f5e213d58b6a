/** What every page has around its content: the head, the navigation, the foot. */

/** Scripts and data of this site alone, but models and samples from wherever the visitor says. */
function policy(stylesItself) {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    `style-src 'self'${stylesItself ? " 'unsafe-inline'" : ''}`,
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "font-src 'self'",
    "connect-src 'self' https: http://localhost:* http://127.0.0.1:* blob: data:",
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

const NAVIGATION = [
  ['', 'Quantize'],
  ['play/', 'Play'],
  ['docs/', 'Docs'],
];

/** From the folder of a page to that of the site. */
export function toRoot(path) {
  return '../'.repeat(path.split('/').length - 1) || './';
}

/** The folder of the part of the site that a page is in. */
const partOf = path => /^([^/]+\/)?/.exec(path)[0];

function head(path, stylesItself) {
  const root = toRoot(path);
  return `
    <meta http-equiv="Content-Security-Policy" content="${policy(stylesItself)}" />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="${root}icon.svg" type="image/svg+xml" />
    <link rel="manifest" href="${root}site.webmanifest" />
    <link rel="stylesheet" href="${root}assets/shell.css" />
    <script src="${root}assets/shell.js" data-worker="${root}${partOf(path)}sw.js"></script>`;
}

function header(path) {
  const root = toRoot(path);
  const links = NAVIGATION.map(([to, name]) => {
    const isHere = to === '' ? path === '' : path.startsWith(to);
    return `<li><a href="${root}${to}"${isHere ? ' aria-current="page"' : ''}>${name}</a></li>`;
  });
  return `
    <a class="skip" href="#main">Skip to content</a>
    <header class="container-fluid">
      <nav aria-label="Site">
        <ul><li><a class="brand" href="${root}">tfjs-quantization</a></li></ul>
        <ul>${links.join('')}<li><button id="theme" class="quiet" aria-label="Light or dark">◐</button></li></ul>
      </nav>
    </header>`;
}

/**
 * Puts a page into the layout.
 *
 * @param {string} html - a page with `<head>`, and a `<body>` that holds `<main id="main">`.
 * @param {{path: string, stylesItself: boolean}} page - `path`: its folder in the site, such as 'docs/onnx/'; '' for the main page.
 *   `stylesItself`: whether it has plots, which style themselves inline.
 */
export function inLayout(html, {path, stylesItself}) {
  return html
    .replace(/<meta charset="utf-8" ?\/?>/i, tag => `${tag}${head(path, stylesItself)}`)
    .replace(/<body[^>]*>/, tag => `${tag}${header(path)}`);
}
