/** Draw a digit, and watch networks of few bits read it. */
import {render} from 'preact';

render(<h1>Handwritten digits in few bits</h1>, document.querySelector('#main')!);
