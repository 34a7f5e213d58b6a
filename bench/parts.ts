/** What the command imports of the TypeScript here. */
export {casesOf, elementsOf, ROWS, shapeOf} from './catalogue';
export {RANGE, ranges, values} from './data';
export {TENSORFLOW_CASES} from './goals';
export {performanceText} from './performance';
export {goalTable, resultsText, tableOf} from './report';
