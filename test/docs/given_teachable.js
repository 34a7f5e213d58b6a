// What stands in for the reader's: Teachable Machine's download, unpacked, and photos.
import {mkdirSync, writeFileSync} from 'node:fs';
import {unzipSync} from 'fflate';
import {teachableMachineProject} from '../site/teachable_machine';

const {zip, images} = await teachableMachineProject({labels: ['mug', 'no mug'], perClass: 10, side: 64});
mkdirSync('my_model');
for (const [name, bytes] of Object.entries(unzipSync(zip))) writeFileSync(`my_model/${name}`, bytes);
mkdirSync('photos');
// They are PNGs. Browsers look at an image's bytes, not at its name.
for (const [i, image] of [...images.values()].entries()) writeFileSync(`photos/${i + 1}.jpg`, image);
