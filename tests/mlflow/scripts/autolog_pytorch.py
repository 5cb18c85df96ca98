"""PyTorch's autologging, which is Lightning's: losses of each epoch, the model, a checkpoint."""

import sys

import lightning
import mlflow
import torch

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("network")
mlflow.pytorch.autolog()


class Line(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x)

    def training_step(self, batch, index):
        x, y = batch
        loss = torch.nn.functional.mse_loss(self(x), y)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


x = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=16)
trainer = lightning.Trainer(
    max_epochs=3, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False
)
trainer.fit(Line(), loader)

client = mlflow.MlflowClient()
(run,) = client.search_runs([mlflow.get_experiment_by_name("network").experiment_id])
losses = [m.value for m in client.get_metric_history(run.info.run_id, "loss")]
assert len(losses) >= 3, losses
assert losses[-1] < losses[0], losses
assert run.data.params["epochs"] == "3"
loaded = mlflow.pytorch.load_model(f"runs:/{run.info.run_id}/model", weights_only=False)
assert loaded(x).shape == (64, 1)
