// What stands around the pictures: the title above, what all this is below.

import { html } from "../kit/elements.js";
import { SIDE } from "./drawing.js";
import { STEPS } from "./engine.js";
import { SEEDS } from "./seeds_view.js";

export function headOf(standalone) {
  const head = html("header", {});
  if (standalone) head.append(html("h1", {}, "The distillation playground"));
  head.append(
    html("p", { class: "lead" },
      "A large network teaches a small one how much an image looks like each digit. Another small one hears " +
        "only the label."),
  );
  return head;
}

export function aboutPart(data, stepsAtOnce) {
  return html("details", { class: "about" }, html("summary", {}, "What am I looking at?"),
    html("p", {}, about(data)),
    html("p", {}, `Keys: Space plays and pauses, the right arrow takes ${stepsAtOnce} steps, R resets.`));
}

function about({ truth, train, test, teachers }) {
  return (
    `The task is to read handwritten digits of ${SIDE} × ${SIDE} pixels. The teacher, a network with ` +
    `${teachers.get("0").net.hidden} ` +
    `hidden units, has learned from ${train} labelled images and then stands still. The two students start ` +
    "with the same weights and meet the same images in the same batches (with unlabelled images, the distilled student " +
    "meets more). The label-only student learns from labels alone; the distilled student also tries to match the teacher's " +
    "probabilities, made softer by the temperature T. Its loss is (1 − w) × cross-entropy + w × T² × KL divergence, where " +
    `w is the weight of the teacher. Both take ${STEPS} steps of Adam, whose learning rate falls along a cosine. All accuracies are measured on ` +
    `${test} test images that neither teacher nor students learned from. A student's best step is ` +
    `chosen on ${truth.length - train - test} other ` +
    "images, the validation images (without the digit that is left out), and measured on the test images. On the stage stands one " +
    "training image, with what each student hears of it; the bands are as broad as the parts weigh in its loss. There the " +
    "distilled student's answer is shown at the teacher's temperature, where the two are compared, and the label-only student's at 1. " +
    "In every picture blue and solid is the teacher, grey and dotted the label-only student, orange and dashed or striped the distilled student. " +
    "Wrong labels are wrong for the teacher too; that teacher stopped early, before it knew them by heart. A single run may be luck: " +
    `that is what the ${SEEDS} seeds are for.`
  );
}
