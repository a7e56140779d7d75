/** Detects the language of a text: by its script, and for Latin letters by frequent small words. */

/** @type {[string, RegExp][]} */
const SCRIPTS = [
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ["ko", /\p{Script=Hangul}/gu],
  ["zh", /\p{Script=Han}/gu],
  ["ru", /\p{Script=Cyrillic}/gu],
  ["el", /\p{Script=Greek}/gu],
  ["he", /\p{Script=Hebrew}/gu],
  ["ar", /\p{Script=Arabic}/gu],
  ["th", /\p{Script=Thai}/gu],
  ["hi", /\p{Script=Devanagari}/gu],
  ["bn", /\p{Script=Bengali}/gu],
  ["ta", /\p{Script=Tamil}/gu],
  ["te", /\p{Script=Telugu}/gu],
  ["ka", /\p{Script=Georgian}/gu],
  ["hy", /\p{Script=Armenian}/gu],
  ["latin", /\p{Script=Latin}/gu],
];
/** @type {Record<string, number>} */
const WEIGHTS = { zh: 3, ja: 3, ko: 2 }; // such a letter says as much as several Latin ones
/**
 * Languages that share a script, by letters that only they have.
 * @type {Record<string, [string, RegExp][]>}
 */
const WITHIN = {
  ru: [["uk", /[іїєґ]/i], ["bg", /ъ(?=[^еёюя])/i]],
  ar: [["ur", /[ٹڈڑںے]/], ["fa", /[پچژگ]/]],
};
const SMALL_WORDS = {
  en: "the and of to is in that it for was with as on are this you be not have from or by at an which "
    + "can but what your if they how",
  fr: "le la les et de des du un une est en que qui dans pour pas sur au avec ce se sont il elle vous "
    + "nous je ne plus par ou mais cette aux être votre",
  de: "der die das und ist nicht ein eine zu den mit von auf für im dem des sich auch es an werden als "
    + "wie oder sie wir ich aus bei nach einen kann",
  es: "el la los las y de que en un una es por con para del no se su al lo más como pero sus este esta "
    + "o son cuando muy hay",
  it: "il la di che e è un una per in non con del della sono si le da come più anche i gli alla dei nel "
    + "questo ma lo ha",
  pt: "o a os as de que e do da em um uma é para com não por mais dos no na se como mas ao foi são ou "
    + "você isso",
  nl: "de het een en van is in dat op te zijn met voor niet aan er om ook als maar bij uit dan nog naar "
    + "wordt deze wij je",
  sv: "och att det i en som är av för på med den till inte om ett har de jag så men kan från vi eller",
  da: "og i at det er en til af på med for ikke den som de der et har jeg du kan om men fra eller blev",
  nb: "og i det er på som en til av for med ikke å den de har jeg et kan om men fra eller ble seg",
  fi: "ja on ei että se oli joka hän mutta kun niin myös ovat kuin tai jos sen voi ole mitä",
  pl: "i w na z że się nie do jest to jak o po ale od za przez są dla może tym który być oraz",
  cs: "a v se na je že s z do to jako ale po za pro by si tak jsou nebo který být jeho může",
  ro: "și de în la cu nu o un pe că este din pentru mai ce sunt a fi care sau dar prin acest",
  hu: "a az és hogy nem is egy van ez meg de csak mint vagy már még lehet amely kell azt",
  tr: "ve bir bu da de için ile çok en gibi olarak daha ne ama olan var kadar sonra değil veya",
  vi: "và của là có không được cho một trong những với các người này để khi đã tôi bạn cũng",
  id: "yang dan di untuk dengan ini itu dari dalam tidak pada adalah akan ke saya atau juga bisa anda",
};
/** Letters that tell more than a word. @type {Record<string, RegExp>} */
const LETTERS = {
  fr: /[çœêîûëï]/g, de: /[ßäöü]/g, es: /[ñ¿¡]/g, pt: /[ãõ]/g, pl: /[łąęśźżćń]/g, cs: /[řůěčž]/g, tr: /[ğış]/g,
  hu: /[őű]/g, ro: /[șță]/g, vi: /[ạảấầẩậắằặẹẻẽếềểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹđ]/g,
  sv: /å/g,
};
/** @type {[string, Set<string>][]} */
const LATIN = Object.entries(SMALL_WORDS).map(([name, words]) => [name, new Set(words.split(" "))]);
const LONGEST = 4000; // characters that are looked at

/** @param {string} text @param {RegExp} at */
const count = (text, at) => text.match(at)?.length ?? 0;

/** @param {string} text */
function scriptOf(text) {
  const found = SCRIPTS.map(([name, at]) =>
    /** @type {const} */ ([name, count(text, at) * (WEIGHTS[name] ?? 1)]));
  const [name, most] = found.reduce((best, each) => (each[1] > best[1] ? each : best));
  if (!most) return "";
  return name === "zh" && found[0][1] * 10 > most ? "ja" : name; // Japanese is written with both
}

/**
 * Returns the language of a text in Latin letters; `usual` in doubt.
 * @param {string} text @param {string} usual
 */
function latin(text, usual) {
  const words = text.toLowerCase().match(/[\p{L}\p{M}]+/gu) ?? [];
  const letters = text.toLowerCase();
  const score = (/** @type {string} */ name, /** @type {Set<string>} */ small) =>
    words.filter((each) => small.has(each)).length
    + (name in LETTERS ? count(letters, LETTERS[name]) : 0)
    + (name === usual ? 0.5 : 0);
  const scores = LATIN.map(([name, small]) => /** @type {const} */ ([name, score(name, small)]));
  const best = scores.reduce((most, each) => (each[1] > most[1] ? each : most));
  return best[1] >= 1 ? best[0] : usual;
}

/**
 * Returns a language tag such as "fr"; `usual`, the page's, where the text does not tell.
 * @param {string} text @param {string} usual
 */
export function languageOf(text, usual) {
  const seen = text.slice(0, LONGEST).normalize("NFC");
  const script = scriptOf(seen);
  if (!script) return usual;
  if (script === "latin") return latin(seen, usual.split("-")[0]);
  return WITHIN[script]?.find(([, at]) => at.test(seen))?.[0] ?? script;
}

/**
 * Returns the browser's best voice for a language, one on the device before others; null: the browser
 * chooses.
 * @param {string} lang @param {SpeechSynthesisVoice[]} voices
 */
export function voiceFor(lang, voices) {
  const fitting = voices.filter((each) => each.lang.replace("_", "-").split("-")[0].toLowerCase() === lang);
  const local = fitting.filter((each) => each.localService);
  return local.find((each) => each.default) ?? local[0] ?? fitting[0] ?? null;
}
