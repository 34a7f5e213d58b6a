import {render} from 'preact';
import {App} from './app';
import './quantize.css';

// A file that misses its place would take the page away, and all that is on it.
for (const type of ['dragover', 'drop']) addEventListener(type, event => event.preventDefault());

render(<App />, document.querySelector('#main')!);
