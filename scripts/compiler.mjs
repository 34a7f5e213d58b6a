/** Prints the name of a C++ compiler, which it installs where it may. Imports nothing but Node. */
import {spawnSync} from 'node:child_process';
import {aptInstall} from './browsers.mjs';

const COMPILER = process.env.CXX || 'g++';
const works = () => spawnSync(COMPILER, ['--version']).status === 0;

if (!works()) aptInstall(['g++']);
if (!works()) throw new Error(`${COMPILER} was not found and could not be installed. Install it, or set CXX.`);
console.log(COMPILER);
