/** Texts of which nothing can be seen: spaces, controls, joiners, fillers, tags. The set of UNSEEN in chat/core/text.py. */

// Formats that are drawn: the number signs of Arabic and others.
const SEEN = /[^\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800\ufff0-\ufffc\u{1107f}\u{13441}\u{13442}\u{16fe4}\u{1bc9d}\u{1d159}]|[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u;

export const isBlank = (text) => !SEEN.test(text);
