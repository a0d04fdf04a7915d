// Solves the puzzle of the page it stands on, a little at a time so that the page stays alive, and sends
// the form with the proof; or with what the captcha gives, where there is one. SHA-256 is FIPS 180-4's, for texts that fit into one block.
'use strict';
(() => {
  const ROUNDS = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
  ];
  const START = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  ];
  const SLICE_MS = 40;

  const form = document.getElementById('work');
  const prefix = form.dataset.puzzle + '.';
  const bits = Number(form.dataset.bits);
  const words = new Int32Array(64);

  // Writes a text of at most 55 letters of ASCII as a block.
  const write = text => {
    words.fill(0, 0, 16);
    for (let at = 0; at < text.length; at++) {
      words[at >> 2] |= text.charCodeAt(at) << (24 - 8 * (at & 3));
    }
    words[text.length >> 2] |= 0x80 << (24 - 8 * (text.length & 3));
    words[15] = 8 * text.length;
  };

  const turn = (word, by) => (word >>> by) | (word << (32 - by));

  // The first 32 bits of the hash of the block.
  const hash = () => {
    for (let at = 16; at < 64; at++) {
      const before = words[at - 15], late = words[at - 2];
      words[at] = words[at - 16] + words[at - 7]
        + (turn(before, 7) ^ turn(before, 18) ^ (before >>> 3))
        + (turn(late, 17) ^ turn(late, 19) ^ (late >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = START;
    for (let at = 0; at < 64; at++) {
      const one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g))
        + ROUNDS[at] + words[at] | 0;
      const two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c)) | 0;
      h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
    }
    return START[0] + a | 0;
  };

  let nonce = 0;
  const work = () => {
    const end = performance.now() + SLICE_MS;
    while (performance.now() < end) {
      for (let tries = 0; tries < 500; tries++, nonce++) {
        write(prefix + nonce);
        if (Math.clz32(hash()) >= bits) {
          form.elements.proof.value = prefix + nonce;
          form.submit();
          return;
        }
      }
    }
    setTimeout(work);
  };

  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    document.getElementById('working').hidden = false;
    work();
  };

  // With a captcha, work is for those who want it, and for where the captcha cannot be had.
  const asking = document.getElementById('asking');
  if (!asking) {
    begin();
    return;
  }
  const instead = () => {
    asking.hidden = true;
    begin();
  };
  asking.hidden = false;
  window.captchaSolved = token => {
    form.elements.captcha.value = token;
    form.submit();
  };
  window.captchaFailed = instead;
  document.getElementById('compute').addEventListener('click', instead);
  const script = document.createElement('script');
  script.src = document.getElementById('widget').dataset.script;
  script.onerror = instead;
  document.head.append(script);
})();
