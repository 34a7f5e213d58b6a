/** A picture that the worker made, in the page. */
import {useEffect, useRef} from 'preact/hooks';

export function Bitmap({of}: {readonly of: ImageBitmap}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    // One that was replaced is closed, and has no size.
    if (of.width > 0) canvas.current?.getContext('2d')?.drawImage(of, 0, 0);
  }, [of]);
  return <canvas ref={canvas} width={of.width} height={of.height} aria-hidden="true" />;
}
