export {host as webgpu} from './cpu';
