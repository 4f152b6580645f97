// Starts `seqc lsp` for .seq files. There is nothing to build: `npm install` fetches the client, and the editor loads this file.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function activate() {
  const command = vscode.workspace.getConfiguration("seqwright").get("command", "seqc");
  const server = { command, args: ["lsp"] };
  client = new LanguageClient("seqwright", "Seqwright", server, {
    documentSelector: [{ language: "seq" }],
  });
  try {
    await client.start();
  } catch (why) {
    vscode.window.showErrorMessage(`Seqwright: cannot start \`${command} lsp\`. Set "seqwright.command" to where seqc is. ${why}`);
  }
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
