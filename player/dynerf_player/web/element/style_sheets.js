const sheets = new Map(); // by their text: all elements of a page share them

/** Add a style to a shadow tree. */
export function addStyle(root, text) {
  if (!sheets.has(text)) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    sheets.set(text, sheet);
  }
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheets.get(text)];
}
