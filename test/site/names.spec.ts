import {shortNames} from '../../site/quantize/see/names';

describe('shortNames', () => {
  it('leaves out the path that all paths share, and nothing of other names', () => {
    const names = ['image_quantized', 'Called/model_1/conv/Relu', 'Called/model_1/conv_2/Relu', 'Called/model_1/add'];
    const short = shortNames(names);
    expect(names.map(short)).toEqual(['image_quantized', 'conv/Relu', 'conv_2/Relu', 'add']);
  });

  it('keeps the last part of a name', () => {
    expect(shortNames(['a/b'])('a/b')).toBe('b');
    expect(shortNames(['/a/b', '/a/b'])('/a/b')).toBe('b');
    expect(shortNames(['conv', 'dense'])('conv')).toBe('conv');
    expect(shortNames([])('conv')).toBe('conv');
  });
});
