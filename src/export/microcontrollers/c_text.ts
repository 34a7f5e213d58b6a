/** Values as C++ has them. */

/** What may stand in a string as it is. C once made other signs of question marks. */
const isPlain = (byte: number) => byte >= 32 && byte < 127 && !'"\\?'.includes(String.fromCharCode(byte));

/** A string. What is not plain stands as bytes of UTF-8 in three octal digits, behind which any sign may follow. */
export function stringOf(text: string): string {
  const bytes = Array.from(new TextEncoder().encode(text), byte =>
    isPlain(byte) ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`,
  );
  return `"${bytes.join('')}"`;
}

/** A float that is read as the same one. */
export function floatOf(value: number): string {
  return `${value.toPrecision(9)}f`;
}

/** Numbers in lines of 12. */
export function linesOf(numbers: Uint8Array): string {
  const lines: string[] = [];
  for (let i = 0; i < numbers.length; i += 12) lines.push(`    ${numbers.subarray(i, i + 12).join(', ')},`);
  return lines.join('\n');
}

/** Whether a name is one that C and C++ let things have. */
export function isIdentifier(name: unknown): name is string {
  return typeof name === 'string' && /^[A-Za-z_]\w*$/.test(name) && !KEYWORDS.has(name);
}

/** Of C23 and C++23. */
const KEYWORDS: ReadonlySet<string> = new Set(
  `alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch char
  char8_t char16_t char32_t class compl concept const consteval constexpr constinit const_cast continue co_await co_return
  co_yield decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto if
  inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public reflexpr
  register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch
  synchronized template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using
  virtual void volatile wchar_t while xor xor_eq _Alignas _Alignof _Atomic _BitInt _Bool _Complex _Decimal128 _Decimal32
  _Decimal64 _Generic _Imaginary _Noreturn _Static_assert _Thread_local`.split(/\s+/),
);
