// Words that are more than a label.

export const ENDS = {
  clean_stop: ["stopped cleanly", "good"],
  recording: ["recording", "live"],
  gap: ["ends in a gap", "bad"],
  unproven: ["end unproven", "bad"],
};

export function decisionsEmpty(tape) {
  return tape?.strategies.length ? "No decision up to here: go on to the next one with d." : "No strategy ran while this tape was recorded.";
}

export const KEYS = [
  ["Space", "play or pause"],
  ["← →", "a record back or forth (Shift: ten)"],
  [", .", "this market's record before or after"],
  ["[ ]", "gap before or after"],
  ["D d", "decision before or after"],
  ["F f", "own fill before or after"],
  ["I i", "incident before or after"],
  ["− +", "slower or faster"],
  ["z x", "closer or wider in time"],
  ["Home End", "first or last record"],
  ["l", "follow the head of a tape that is recorded"],
  ["/", "jump to a time or #record"],
  ["m", "choose a market"],
  ["c", "copy a link to this moment"],
  ["t", "light or dark"],
  ["?", "this list"],
];
