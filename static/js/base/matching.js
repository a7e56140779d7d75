/**
 * Fuzzy search by name: a part of it, the beginnings of its words in any order, or one typing error in a
 * word.
 */

import { folded } from "grokweb/base/text.js";

const FUZZY_FROM = 4; // letters: shorter words are too like each other

/**
 * Tells whether the Damerau-Levenshtein distance is at most 1: a letter missing, added, replaced or swapped
 * with the next.
 * @param {string} a @param {string} b
 */
export function isOneTypo(a, b) {
  if (Math.abs(a.length - b.length) > 1) return false;
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1)
    || (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2));
}

const words = (/** @type {string} */ text) => folded(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);

/**
 * Compares a typed word, which may be unfinished, with the beginning of a word of the name.
 * @param {string} typed @param {string} word
 */
function fitsWord(typed, word) {
  if (word.startsWith(typed)) return true;
  if ([...typed].length < FUZZY_FROM) return false;
  const { length } = typed;
  return [length - 1, length, length + 1].some((end) => isOneTypo(typed, word.slice(0, end)));
}

/**
 * Returns 2 where the name contains the question, 1 where each word of it fits a word of the name, 0
 * otherwise.
 * @param {string} question @param {string} name
 */
export function match(question, name) {
  const wanted = folded(question.trim());
  if (folded(name).includes(wanted)) return 2;
  const [asked, there] = [words(question), words(name)];
  return asked.length > 0 && asked.every((typed) => there.some((word) => fitsWord(typed, word))) ? 1 : 0;
}

/**
 * Returns the entries that fit, literal matches first.
 * @template T
 * @param {string} question @param {T[]} all
 * @param {(each: T) => string | string[]} namesOf
 */
export function fitting(question, all, namesOf) {
  const rankOf = (/** @type {T} */ each) =>
    Math.max(...[namesOf(each)].flat().map((name) => match(question, name)));
  const ranks = all.map(rankOf);
  return [2, 1].flatMap((rank) => all.filter((_, i) => ranks[i] === rank));
}
