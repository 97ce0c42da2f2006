// A page with React, as a shop builds it; StrictMode runs each effect twice, as in development.
import { createVeriffFrame } from "@veriff/incontext-sdk";
import { Veriff } from "@veriff/js-sdk";
import { Client } from "persona";
import PersonaReact from "persona-react";
import { StrictMode, useEffect } from "react";
import { createRoot } from "react-dom/client";

const PersonaModal = (options) => {
  useEffect(() => {
    const client = new Client({ ...options, onReady: () => client.open() });
    return () => client.destroy();
  }, []);
  return null;
};

const VeriffModal = (options) => {
  useEffect(() => {
    const frame = createVeriffFrame(options);
    return () => frame.close();
  }, []);
  return null;
};

/** A session that the page starts itself. */
const VeriffForm = ({ onEvent, ...options }) => {
  useEffect(() => {
    const onSession = (error, answer) =>
      error ? onEvent(error) : createVeriffFrame({ url: answer.verification.url, onEvent });
    const form = Veriff({ ...options, parentId: "veriff-root", onSession });
    form.setParams({ person: { givenName: "Ada", lastName: "Lovelace" }, vendorData: "customer-17" });
    form.mount();
  }, []);
  return <div id="veriff-root" />;
};

const components = { PersonaReact, PersonaModal, VeriffForm, VeriffModal };

window.show = (name, options) => {
  const Component = components[name];
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  root.render(
    <StrictMode>
      <Component {...options} />
    </StrictMode>,
  );
};
