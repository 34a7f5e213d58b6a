export {host as webgl} from './cpu';
