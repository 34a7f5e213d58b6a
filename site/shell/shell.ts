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

/** Of the part of the site that the page is in. Browsers have service workers for https and for this machine. */
const worker = currentScript?.dataset['worker'];
if ('serviceWorker' in navigator && worker !== undefined) {
  addEventListener('load', () => void navigator.serviceWorker.register(worker).catch(() => undefined));
}
