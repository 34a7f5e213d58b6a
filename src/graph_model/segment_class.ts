/** The class of segments, registered: models that have them load wherever this is imported. */
import {serialization} from '@tensorflow/tfjs-core';
import {SEGMENT} from './saved_segment';
import {GraphSegment} from './segment';

const [pack, name] = SEGMENT.split('>');
serialization.registerClass(GraphSegment, pack, name);
