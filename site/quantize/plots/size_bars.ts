/** How large each kind of file is, against the model's weights in float32. */
import {bytes} from '../components/format';
import {COLORS, type Make} from './common';

export interface Size {
  readonly title: string;
  readonly bytes: number;
  /** Whether it computes in float with weights as they were. */
  readonly isFloat: boolean;
}

const ROW = 28;

export function sizeBars(sizes: readonly Size[], float: number): Make {
  return (plot, width) => {
    const marginLeft = Math.min(210, width * 0.42);
    return {
      width,
      height: sizes.length * ROW + 46,
      marginLeft,
      marginRight: 64,
      x: {label: 'size →', grid: true, ticks: Math.max(2, Math.min(6, width / 140)), tickFormat: bytes, zero: true},
      y: {label: null, domain: sizes.map(({title}) => title)},
      marks: [
        plot.axisY({tickSize: 0, lineWidth: (marginLeft - 10) / 7, textOverflow: 'ellipsis'}),
        plot.barX(sizes, {
          x: 'bytes',
          y: 'title',
          fill: ({isFloat}: Size) => (isFloat ? COLORS.float : COLORS.quantized),
          rx: 2,
        }),
        plot.text(sizes, {
          x: 'bytes',
          y: 'title',
          text: ({bytes: size}: Size) => bytes(size),
          textAnchor: 'start',
          dx: 6,
        }),
        plot.ruleX([float], {stroke: COLORS.other, strokeDasharray: '4,3'}),
        plot.ruleX([0], {strokeOpacity: 0.4}),
      ],
    };
  };
}
