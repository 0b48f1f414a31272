// The texts that a script shows: the page's language has them in `data-text-NAME` attributes.

/** Returns a function that returns a text by name, with `{key}` replaced by the values. */
export const textsOf = (element) => (name, values = {}) => {
  const key = `text${name.replace(/(?:^|_)(\w)/g, (_, letter) => letter.toUpperCase())}`;
  return Object.entries(values).reduce((text, [each, value]) => text.replace(`{${each}}`, () => value), element.dataset[key]);
};

/** Returns seconds as minutes and seconds: "4:05". */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** Returns a new element with a text; texts are never parsed as HTML. */
export const element = (tag, text = "", className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
};
