/** Finds the browsers that the tests and `npm start` run in, and installs them where it may. Imports nothing but Node. */
import {execFileSync} from 'node:child_process';
import {accessSync, constants, existsSync, mkdtempSync, readdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';

/** Where each browser may be, and what Debian calls it and what it needs to draw without a GPU. */
const BROWSERS = {
  chromium: {
    variable: 'CHROME_BIN',
    commands: ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser'],
    places: [
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
      'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
    ],
    packages: ['chromium'],
  },
  firefox: {
    variable: 'FIREFOX_BIN',
    commands: ['firefox', 'firefox-esr'],
    places: ['/Applications/Firefox.app/Contents/MacOS/firefox', 'C:\\Program Files\\Mozilla Firefox\\firefox.exe'],
    packages: ['firefox-esr'],
  },
};

/** What Firefox needs besides itself to draw without a GPU or a display: a virtual display, llvmpipe and lavapipe. */
const SOFTWARE_DRAWING = [
  'xvfb',
  'xauth',
  'libgl1-mesa-dri',
  'libegl1',
  'libgl1',
  'libpci3',
  'mesa-vulkan-drivers',
  'libvulkan1',
];

/**
 * Whether browsers have to draw on the CPU: a Linux machine with no GPU. Everywhere else they are left as they are, so
 * that the tests exercise the GPU.
 */
export function drawsInSoftware() {
  const holds = (folder, name) => existsSync(folder) && readdirSync(folder).some(file => file.startsWith(name));
  return process.platform === 'linux' && !holds('/dev/dri', 'renderD') && !holds('/dev', 'nvidia0');
}

/** Command-line flags for a headless Chromium that has WebGL and WebGPU. */
export function chromiumFlags() {
  return [
    '--headless=new',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-quic',
    '--disable-dev-shm-usage',
    // WebGPU is behind this flag on Linux.
    '--enable-unsafe-webgpu',
    ...(isRoot() ? ['--no-sandbox'] : []),
    ...(drawsInSoftware() ? ['--enable-unsafe-swiftshader'] : []),
  ];
}

/** Preferences for a Firefox that has WebGL and WebGPU. */
export function firefoxPrefs() {
  const software = {
    'webgl.force-enabled': true,
    'gfx.webgpu.ignore-blocklist': true,
    'dom.webgpu.allow-cpu-adapters': true,
    'gfx.webrender.software': true,
  };
  return {'dom.webgpu.enabled': true, ...(drawsInSoftware() ? software : {})};
}

/**
 * Where a browser is, and the environment to start it in: the one that CHROME_BIN or FIREFOX_BIN names, else one that
 * is installed, else one installed now (root on a Debian system). Otherwise an error that says what to do.
 *
 * @param {'chromium' | 'firefox'} name
 * @returns {Promise<{path: string, env: Record<string, string>}>}
 */
export async function findBrowser(name) {
  const {variable, packages} = BROWSERS[name];
  const path = named(name) ?? installed(name) ?? (aptInstall(packages), installed(name));
  if (path === undefined) {
    throw new Error(
      `${name} was not found and could not be installed. Install it, or set ${variable} to the path of its program.`,
    );
  }
  if (name === 'chromium' || !drawsInSoftware()) return {path, env: {}};
  if (!hasSoftwareDrawing()) aptInstall(SOFTWARE_DRAWING);
  return {path, env: {LIBGL_ALWAYS_SOFTWARE: '1', HOME: mkdtempSync(join(tmpdir(), 'firefox-home-'))}};
}

/** What to put before a command so that a Firefox in it has a display. Its --headless has no WebGL. */
export function displayPrefix() {
  if (process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY) return [];
  const xvfb = inPath('xvfb-run') ?? (aptInstall(['xvfb', 'xauth']), inPath('xvfb-run'));
  if (xvfb === undefined) throw new Error('Firefox needs a display for WebGL: set DISPLAY, or install xvfb and xauth.');
  return [xvfb, '-a'];
}

function named(name) {
  const {variable} = BROWSERS[name];
  const path = process.env[variable];
  if (!path || isProgram(path)) return path || undefined;
  throw new Error(`${variable} names ${path}, which is not a program. Set it to the path of ${name}, or unset it.`);
}

function installed(name) {
  const {commands, places} = BROWSERS[name];
  return commands.map(inPath).find(path => path !== undefined) ?? places.find(isProgram);
}

function inPath(command) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, command))
    .find(isProgram);
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function hasSoftwareDrawing() {
  const drivers = '/usr/share/vulkan/icd.d';
  const lavapipe = existsSync(drivers) && readdirSync(drivers).some(file => file.startsWith('lvp'));
  return lavapipe && inPath('xvfb-run') !== undefined;
}

function isRoot() {
  return process.getuid?.() === 0;
}

/** Installs Debian packages, if this is root on such a system. The caller looks whether it helped. */
export function aptInstall(packages) {
  const apt = inPath('apt-get');
  if (!isRoot() || apt === undefined) return;
  console.error(`Installing ${packages.join(' ')} (apt-get) ...`);
  const run = args => execFileSync(apt, args, {stdio: ['ignore', 'ignore', 'inherit'], env: aptEnvironment()});
  try {
    run(['update', '-qq']);
    run(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  } catch (error) {
    console.error(`apt-get failed: ${error.message}`);
  }
}

function aptEnvironment() {
  return {...process.env, DEBIAN_FRONTEND: 'noninteractive'};
}
