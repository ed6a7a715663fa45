/** Colours and dashes of series: told apart without colour vision, and against both backgrounds. */

const COLOURS = {
  light: ["#0a66b0", "#c2480a", "#0a7d5a", "#8a3f9c", "#8f6400", "#3f4a58", "#b3225a", "#2b8fa8"],
  dark: ["#62b0f2", "#ff9152", "#41cf9f", "#d59bea", "#edc14a", "#c6ced8", "#ff84a6", "#6fd3ea"],
};
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [14, 4], [4, 2, 4, 6], [1, 5]];

/** Look of the series at a position among the chosen: `{colour, dash}`. */
export function look(position, theme) {
  const colours = COLOURS[theme];
  return {
    colour: colours[position % colours.length],
    dash: DASHES[Math.floor(position / colours.length) % DASHES.length],
  };
}

/** `light` or `dark`, as chosen or as the system has it. */
export function shownTheme(choice) {
  if (choice !== "auto") return choice;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
