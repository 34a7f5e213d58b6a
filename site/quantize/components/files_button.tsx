/** A button that asks for files, or for a folder. */
import {useRef} from 'preact/hooks';
import {isBusy} from '../state';
import type {GivenFile} from '../worker/contract';
import {chosenFiles} from './given_files';

interface FilesButtonProps {
  readonly label: string;
  /** What is offered first; anything if undefined. */
  readonly accept?: string;
  readonly isFolder?: boolean;
  readonly class?: string;
  readonly onFiles: (files: readonly GivenFile[]) => void;
}

const FOLDER = {webkitdirectory: true};

export function FilesButton({label, accept, isFolder = false, class: className, onFiles}: FilesButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  const take = ({currentTarget}: Event) => {
    const element = currentTarget as HTMLInputElement;
    const files = chosenFiles(element);
    // The same files may be chosen again, after they were mended.
    element.value = '';
    if (files.length > 0) onFiles(files);
  };
  return (
    <>
      <button type="button" class={className} disabled={isBusy.value} onClick={() => input.current?.click()}>
        {label}
      </button>
      <input ref={input} type="file" hidden multiple accept={accept} {...(isFolder && FOLDER)} onChange={take} />
    </>
  );
}
