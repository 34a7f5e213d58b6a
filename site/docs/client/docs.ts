/** What pages of the documentation do: code that is copied, and search. */
import './docs.css';

const COPIED_MS = 1500;

/** A button at a block of code; what it did is said too. */
function addCopy(block: Element): void {
  const code = block.querySelector('code')?.textContent ?? '';
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.setAttribute('aria-live', 'polite');
  button.addEventListener('click', () => {
    const say = (text: string) => {
      button.textContent = text;
      setTimeout(() => (button.textContent = 'Copy'), COPIED_MS);
    };
    navigator.clipboard.writeText(code).then(
      () => say('Copied'),
      () => say('Select it, and copy by hand'),
    );
  });
  block.append(button);
}

// Browsers have a clipboard for pages of https and of this machine.
if ('clipboard' in navigator) document.querySelectorAll('.code:not(.output)').forEach(addCopy);

const button = document.querySelector<HTMLButtonElement>('button.search');

async function search(): Promise<void> {
  try {
    const {openSearch} = await import('./search');
    await openSearch(new URL(button!.dataset['index']!, location.href));
  } catch {
    button!.textContent = 'Search could not be loaded: is there a network?';
  }
}

function isTyping({target}: KeyboardEvent): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null;
}

button?.addEventListener('click', () => void search());
addEventListener('keydown', event => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return;
  event.preventDefault();
  void search();
});

// On phones the two lists lie over the page; what was chosen there is to be seen.
document.querySelectorAll<HTMLElement>('[popover]').forEach(list => {
  list.addEventListener('click', ({target}) => {
    if (target instanceof HTMLAnchorElement && list.matches(':popover-open')) list.hidePopover();
  });
});

// The list is long: where we are in it is to be seen.
const here = document.querySelector<HTMLElement>('#documents [aria-current]');
const list = document.querySelector<HTMLElement>('#documents');
if (here && list) list.scrollTop = here.offsetTop - list.offsetTop - list.clientHeight / 2;
