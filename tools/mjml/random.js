// Carousels and menus carry random ids; a compiler should answer the same source with the same bytes.
export const seedRandom = (source) => {
  let state = 0x811c9dc5;
  for (let at = 0; at < source.length; at += 1) state = Math.imul(state ^ source.charCodeAt(at), 0x01000193);
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
};
