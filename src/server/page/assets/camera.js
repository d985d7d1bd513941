// A picture from the camera: a view of it in a dialog where the browser allows, else the phone's own camera program.

import {byId, onPhone} from './dom.js';

function reason(error) {
  if (error.name === 'NotAllowedError') return 'The browser does not let this page use the camera. Its address bar has the switch.';
  if (error.name === 'NotFoundError') return 'No camera was found.';
  return `The camera cannot be used: ${error.message}`;
}

/** take(files) gets each picture that is taken. */
export function wireCamera(take) {
  const dialog = byId('camera-dialog');
  const video = byId('viewfinder');
  const problem = byId('camera-problem');
  const shutter = byId('shutter');
  let stream = null;

  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
  };

  byId('camera').addEventListener('click', async () => {
    // Browsers hand out the camera over https and on this machine only.
    if (onPhone() || !navigator.mediaDevices?.getUserMedia) {
      byId('capture').click();
      return;
    }
    problem.hidden = true;
    shutter.disabled = true;
    dialog.showModal();
    try {
      const opened = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment', width: {ideal: 1920}}});
      stream = opened;
      if (!dialog.open) return stop();
      video.srcObject = stream;
      await video.play();
      shutter.disabled = false;
      shutter.focus();
    } catch (error) {
      problem.textContent = reason(error);
      problem.hidden = false;
    }
  });

  shutter.addEventListener('click', () => {
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    canvas.toBlob((blob) => {
      const time = new Date().toISOString().slice(0, 19).replace(/[T:]/g, '-');
      take([new File([blob], `camera-${time}.jpg`, {type: 'image/jpeg'})]);
      dialog.close();
    }, 'image/jpeg', 0.92);
  });
  dialog.addEventListener('close', stop);
  byId('capture').addEventListener('change', ({target}) => {
    take([...target.files]);
    target.value = '';
  });
}
