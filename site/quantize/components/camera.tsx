/** The camera's picture, live, as long as this is on the page. */
import {useSignal} from '@preact/signals';
import type {ComponentChildren} from 'preact';
import {useEffect, useRef} from 'preact/hooks';

interface CameraProps {
  /** What is done with it, once it runs. */
  readonly children: (video: HTMLVideoElement) => ComponentChildren;
}

export function Camera({children}: CameraProps) {
  const video = useRef<HTMLVideoElement>(null);
  const isRunning = useSignal(false);
  const failure = useSignal('');
  useEffect(() => {
    let stream: MediaStream | undefined;
    let isOver = false;
    const stop = () => stream?.getTracks().forEach(track => track.stop());
    const run = async () => {
      try {
        stream = await openCamera();
        if (isOver) return stop();
        video.current!.srcObject = stream;
        await video.current!.play();
        isRunning.value = true;
      } catch (error) {
        if (!isOver) failure.value = inWords(error as Error);
      }
    };
    void run();
    return () => {
      isOver = true;
      stop();
    };
  }, []);
  if (failure.value) {
    return (
      <p class="failure" role="alert">
        {failure}
      </p>
    );
  }
  return (
    <div class="camera">
      <video ref={video} muted playsInline aria-label="What the camera sees" />
      <div>{isRunning.value && video.current ? children(video.current) : <p>Asking for the camera…</p>}</div>
    </div>
  );
}

async function openCamera(): Promise<MediaStream> {
  // Pages without https have none of this, whatever its type says.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) throw new DOMException('', 'SecurityError');
  return devices.getUserMedia({video: {width: {ideal: 640}, facingMode: 'environment'}});
}

const WORDS: Readonly<Record<string, string>> = {
  NotAllowedError:
    'The camera was refused. Allow it for this page, beside its address, and try again; or choose files.',
  NotFoundError: 'There is no camera here. Choose files instead.',
  NotReadableError: 'The camera is in use by something else. Close that, and try again.',
  SecurityError: 'Browsers lend the camera to pages of https only. Choose files instead.',
};

function inWords({name, message}: Error): string {
  return WORDS[name] ?? `The camera did not start: ${message}`;
}
