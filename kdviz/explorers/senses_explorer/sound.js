// A tone that can be heard: two sines under noise, made in the browser, so that no page carries sounds.

const RATE = 8000, SECONDS = 0.6;

// Numbers of the standard normal distribution (Box and Muller).
function gaussian() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

// Two sines of amplitude 1, and noise of the deviation `hiss`, scaled so that hardly anything is cut off.
export function samplesOf(hertz, hiss) {
  const loudest = 2 + 2.5 * hiss;
  return Float32Array.from({ length: RATE * SECONDS }, (_, i) => {
    const tone = hertz.reduce((sum, each) => sum + Math.sin((2 * Math.PI * each * i) / RATE), 0);
    return Math.max(-1, Math.min(1, (tone + hiss * gaussian()) / loudest));
  });
}

// Something that plays one tone at a time. Browsers allow sound only after a click, so it is opened by the first.
export function player() {
  let context = null, source = null;
  const stop = () => {
    source?.stop();
    source = null;
  };
  const play = (hertz, hiss) => {
    context ??= new AudioContext();
    stop();
    const heard = context.createBuffer(1, RATE * SECONDS, RATE);
    heard.copyToChannel(samplesOf(hertz, hiss), 0);
    source = context.createBufferSource();
    source.buffer = heard;
    source.connect(context.destination);
    context.resume();
    source.start();
  };
  const end = () => {
    stop();
    context?.close();
    context = null;
  };
  return { play, end };
}
