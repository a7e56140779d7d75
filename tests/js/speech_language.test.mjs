import assert from "node:assert/strict";
import { test } from "node:test";

import { languageOf, voiceFor } from "grokweb/view/speech_language.js";

const TEXTS = {
  en: "Bread is made from flour and water. It rests for an hour before it is baked.",
  fr: "Le pain est fait de farine et d’eau. Il repose une heure avant la cuisson.",
  de: "Brot wird aus Mehl und Wasser gemacht. Der Teig ruht eine Stunde, bevor er gebacken wird.",
  es: "El pan se hace con harina y agua. La masa reposa una hora antes de hornearla.",
  it: "Il pane si fa con farina e acqua. L’impasto riposa per un’ora prima della cottura.",
  pt: "O pão é feito de farinha e água. A massa descansa uma hora antes de ir ao forno, mas não mais.",
  nl: "Brood wordt gemaakt van meel en water. Het deeg rust een uur voor het bakken.",
  pl: "Chleb robi się z mąki i wody. Ciasto odpoczywa przez godzinę, zanim trafi do pieca.",
  tr: "Ekmek un ve sudan yapılır. Hamur fırına girmeden önce bir saat dinlenir.",
  ru: "Хлеб делают из муки и воды. Тесто отдыхает час.",
  uk: "Хліб роблять із борошна та води. Тісто відпочиває годину.",
  el: "Το ψωμί γίνεται από αλεύρι και νερό.",
  he: "לחם עשוי מקמח וממים.",
  ar: "يُصنع الخبز من الدقيق والماء.",
  fa: "نان از آرد و آب پخته می‌شود و خمیر یک ساعت در گوشه‌ای می‌ماند.",
  ja: "パンは小麦粉と水から作られます。",
  zh: "面包由面粉和水制成。面团要休息一个小时。",
  ko: "빵은 밀가루와 물로 만듭니다.",
  th: "ขนมปังทำจากแป้งและน้ำ",
  hi: "रोटी आटे और पानी से बनती है।",
};

for (const [lang, text] of Object.entries(TEXTS)) {
  test(`a text in ${lang} is known on pages in either language`, () => {
    for (const page of ["en", "fr"]) assert.equal(languageOf(text, page), lang);
  });
}

test("a text without clues has the language of the page", () => {
  for (const text of ["", "42", "OK", "def bake(loaf)"]) assert.equal(languageOf(text, "fr"), "fr", text);
});

test("an English name inside another script does not change it", () => {
  assert.equal(languageOf("Используйте Python и NumPy: это просто.", "en"), "ru");
  assert.equal(languageOf("使用 Python 编写程序非常简单。", "en"), "zh");
});

test("a voice on the device is taken before one elsewhere", () => {
  /** @param {object} voice @returns {SpeechSynthesisVoice} */
  const made = (voice) => /** @type {any} */ (voice);
  const far = made({ lang: "fr-FR", localService: false });
  const near = made({ lang: "fr_CA", localService: true });
  const english = made({ lang: "en-US", localService: true, default: true });
  assert.equal(voiceFor("fr", [english, far, near]), near);
  assert.equal(voiceFor("fr", [english, far]), far);
  assert.equal(voiceFor("ja", [english, far]), null);
});
