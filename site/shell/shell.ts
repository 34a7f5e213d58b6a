/** What every page does: its theme, and being there without a network. */
import '@picocss/pico/css/pico.min.css';
import './shell.css';

const THEME = 'theme';

function theme(): string {
  return localStorage.getItem(THEME) ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
}

const {currentScript, documentElement} = document;
documentElement.dataset['theme'] = theme();

addEventListener('DOMContentLoaded', () => {
  document.querySelector('#theme')?.addEventListener('click', () => {
    const next = theme() === 'dark' ? 'light' : 'dark';
    localStorage.setItem(THEME, next);
    documentElement.dataset['theme'] = next;
  });
});

/** Browsers have service workers for https and for this machine. */
if ('serviceWorker' in navigator && currentScript instanceof HTMLScriptElement) {
  const worker = new URL('../sw.js', currentScript.src);
  addEventListener('load', () => void navigator.serviceWorker.register(worker).catch(() => undefined));
}
