"""The sentences of the Python side in Simplified Chinese, by the English ones of the code.

`SENTENCES` holds what the code says through `said`; `TOLD` what comes as a finished English text, from an exception or
a record, and is told again in Chinese by `retold`: its keys are patterns in which {name} stands for what is filled in.
Terms: 特征 feature, 词元 token, 钳制 clamp, 残差流 residual stream, 叠加 superposition, 消融 ablation.
"""

from __future__ import annotations

SENTENCES: dict[str, str] = {
    # -- pages, and what several instruments say ---------------------------------------------------------------------
    "In English: {words}": "（英文消息）{words}",
    "{widget}: run the cell to bring it to life.": "{widget}：运行单元格可使它恢复工作。",
    "... and {n} more features.": "……还有 {n} 个特征。",
    "Architecture panel": "SAE 结构面板",
    "Clamp panel": "钳制面板",
    "Completeness lab": "完备性实验台",
    "Directions lab": "词间方向实验台",
    "Dose response": "剂量-反应",
    "Explorer": "特征浏览器",
    "Feature dashboard": "特征面板",
    "Feature map": "特征地图",
    "Feature plane": "特征平面",
    "Feature probe": "特征探针",
    "Feature search": "特征搜索",
    "Grading sheet": "评分表",
    "Specificity lab": "特异性实验台",
    "Superposition lab": "叠加实验台",
    "Training monitor": "训练监视器",
    ", ": "、",
    "; ": "；",
    " and ": "和",
    "{sentence}. ": "{sentence}。",
    "{low:.3g} to {high:.3g}": "{low:.3g} 到 {high:.3g}",
    "{low:,} to {high:,}": "{low:,} 到 {high:,}",
    "yes": "有",
    "no": "无",
    "all": "全部",
    "a model": "某个模型",
    "its model": "其模型",
    "a corpus": "某个语料库",
    "feature": "特征",
    "features": "特征",
    "label": "标签",
    "density": "密度",
    "maximum": "最大激活值",
    "promotes": "促进",
    "activation": "激活值",
    "activations": "激活",
    "token": "词元",
    "tokens": "词元",
    "score": "分数",
    "strongest on": "最强的词元",
    "concept": "概念",
    "concepts": "概念",
    "SAE": "SAE",
    "KL": "KL",
    "F1": "F1",
    "AUROC": "AUROC",
    "1": "1",
    "2": "2",
    "0": "0",
    "kind": "方式",
    "multiple": "倍数",
    "perplexity ratio": "困惑度之比",
    "repeats": "重复",
    "judged": "已评判",
    "sae": "SAE",
    "alive": "活特征",
    "n concepts": "有特征的概念",
    "half at": "半数有特征之处",
    "threshold": "阈值",
    "space": "向量",
    "n": "数量",
    "accuracy": "正确率",
    "inputs kept": "保留输入词",
    "neighbor": "离 c 最近",
    "chance": "偶然",
    "parallel": "平行程度",
    "angle": "角度",
    "read-out": "读出值",
    "ReLU": "ReLU",
    "score 3": "3 分",
    "Default": "原样",
    "Clamped": "钳制后",
    "loss": "损失",
    "step": "步",
    "precision": "精确率",
    "recall": "召回率",
    "bias": "偏置",
    "neuron": "神经元",
    "weight": "权重",
    "superposition": "叠加",
    "importance": "重要性",
    "share": "比例",
    "active": "激活",
    "scored": "有分数",
    "shared": "共享",
    "Theory": "理论",
    "Training": "训练",
    "Loss": "损失",
    # -- where figures come from -------------------------------------------------------------------------------------
    "{name}{architecture} SAE, {d_sae:,} features, on {model} at {site} (weights {processing}, BOS "
    "{bos}{weights}{bound}); {n:,} tokens of {corpus}{fit}": "{name}{architecture} SAE，{d_sae:,} 个特征，"
    "模型 {model}，读取位置 {site}（权重 {processing}，{bos} BOS{weights}{bound}）；语料库 {corpus} 的 {n:,} 个词元{fit}",
    ", tokens of |x| up to {norm:.4g}": "，|x| 不超过 {norm:.4g} 的词元",
    "Decoder directions of {saes}; projection {method}, {how}seed {seed}{text}": "{saes} 的解码器方向；"
    "投影方法 {method}，{how}种子 {seed}{text}",
    "; {n:,} tokens of {corpus}": "；语料库 {corpus} 的 {n:,} 个词元",
    "{n} neighbors, min_dist {least:g}, ": "{n} 个近邻，min_dist {least:g}，",
    "{n:,} points. {sentence}": "{n:,} 个点。{sentence}",
    # -- completeness, directions, specificity, grading --------------------------------------------------------------
    "Has every concept a feature?": "每个概念都有特征吗？",
    "{n:,} concepts, each with a feature where the best one's F1 is {bound:g} or more on documents that did not choose "
    "it; {tokens:,} tokens of {corpus}, read by {model}": "{n:,} 个概念；最佳特征在未参与挑选的文档上 F1 不低于 {bound:g} "
    "的，算作有特征；语料库 {corpus} 的 {tokens:,} 个词元，由 {model} 读取",
    "Are relations between words directions?": "词与词之间的关系是方向吗？",
    "{n:,} questions of {questions}, asked {model}{weights}{skipped}": "{questions} 的 {n:,} 个问题，"
    "所问的模型是 {model}{weights}{skipped}",
    "; 1 word is of several tokens: {some}": "；有 1 个词由几个词元组成：{some}",
    "; {n:,} words are of several tokens: {some}": "；有 {n:,} 个词由几个词元组成：{some}",
    "embedding": "嵌入",
    "rows of the embedding": "嵌入矩阵的行",
    "read at the word's own token at the beginning of a text": "在文本开头、该词自己的词元处读取",
    "read at the word's token in {template!r}": "在 {template!r} 中该词的词元处读取",
    "{n:,} words are candidates for an answer; vectors are {read}.": "候选答案共 {n:,} 个词；向量的来源：{read}。",
    " at {site}": "，位置 {site}",
    " of {n:,} tokens of {corpus}": "，来自语料库 {corpus} 的 {n:,} 个词元",
    "Specificity of #{feature}: {claim}": "#{feature} 的特异性：{claim}",
    "{n:,} of {of:,} activations{corpus}, at most {most} from each of {intervals} intervals; {sae} on "
    "{model}{where}": "{of:,} 个激活中的 {n:,} 个{corpus}；{intervals} 个区间，每个至多 {most} 个；{sae}，模型 {model}{where}",
    "The marked text is the concept itself: it names it or plainly is an instance of it.": "标出的文字就是该概念本身："
    "说出了它的名字，或显然是它的实例。",
    "The marked text has only a loose tie to the concept, or the concept stands right beside it.": "标出的文字与该概念"
    "只有松散的联系，或该概念就在旁边。",
    "The concept is somewhere in the passage, but not near the marked text; or the tie is vague.": "该概念出现在段落中，"
    "但不在标出的文字附近；或联系含糊。",
    "The concept is nowhere in the passage.": "段落中没有该概念。",
    "{title} (judge: {judge})": "{title}（评判者：{judge}）",
    "planted": "植入",
    "spans": "片段",
    "function": "函数",
    "rule": "规则",
    "likelihood": "似然",
    "flipped": "反转",
    "language model": "语言模型",
    "person": "人",
    "a person": "某人",
    "detection": "检测",
    "fuzzing": "模糊测试",
    "intruder": "找出外来者",
    "SAEBench": "SAEBench",
    "logits": "logit",
    "requests": "次请求",
    "retries": "次重试",
    "tokens read": "个词元（读）",
    "tokens written": "个词元（写）",
    "dollars": "美元",
    "Grading sheet of {claim!r} by {name}: {n} of {of} passages graded, {counts}, {refused} not said.": "{name} 对 "
    "{claim!r} 的评分表：{of} 个段落中已评 {n} 个，{counts}，{refused} 个无法判断。",
    "{n} with {score}": "{score} 分 {n} 个",
    # -- dose-response -----------------------------------------------------------------------------------------------
    "Dose-response of #{feature}{label}": "#{feature}{label} 的剂量-反应",
    "{n:,} texts of at most {n_tokens} tokens at temperature {temperature:g}{sought}; maximum "
    "{maximum:.4g}{corpus}; {sae}{where}": "{n:,} 段文本，每段至多 {n_tokens} 个词元，温度 {temperature:g}{sought}；"
    "最大激活值 {maximum:.4g}{corpus}；{sae}{where}",
    ", looking for {concept}": "，查找 {concept}",
    " over {corpus}": "（语料库 {corpus}）",
    "Feature {feature}{label}: {n:,} texts after one prompt{sought}": "特征 {feature}{label}：同一提示词之后的 "
    "{n:,} 段文本{sought}",
    "clamp the feature": "钳制该特征",
    "add its direction": "加上它的方向",
    "mean-difference vector": "均值差向量",
    "clamp a random feature": "钳制一个随机特征",
    "noise of equal length": "等长的噪声",
    "a prompt instead": "改用提示词",
    "nothing done": "不作干预",
    "Texts with the concept": "含有该概念的文本",
    "Perplexity, times the model's": "困惑度，模型自身的倍数",
    "KL (nats per token)": "KL（每个词元，nat）",
    "Most repeats of three words": "同样的连续三个词，最多次数",
    "Distinct pairs of words": "不同的词对",
    # -- architecture, plane, clamp panel ----------------------------------------------------------------------------
    "Token {at}": "词元 {at}",
    "length of its part": "其部分的长度",
    "green": "绿",
    "blue": "蓝",
    "orange": "橙",
    "pink": "粉",
    "sky": "天蓝",
    "brown": "棕",
    "gray": "灰",
    "violet": "紫",
    "A point in {n} dimensions, {length:.4g} long; {share:.0%} of its length lies in this plane. The rest is not drawn: "
    "neither of the two features reads it.": "{n} 维中的一个点，长度 {length:.4g}；其中 {share:.0%} 的长度在这个平面内。"
    "其余没有画出：两个特征都读不到它。",
    "ipykernel {version} answers between cells only; ipykernel 7 with JupyterLab 4.4 answers while one runs, "
    "too.": "ipykernel {version} 只在单元格之间回答；ipykernel 7 配合 JupyterLab 4.4，在单元格运行时也能回答。",
    "of an unknown version": "（版本未知）",
    # -- training ----------------------------------------------------------------------------------------------------
    "the disk is full": "磁盘已满",
    "There is none yet": "目前还没有检查点",
    "That of step {step:,} stands": "第 {step:,} 步的检查点仍在",
    "No checkpoint at step {step:,}: {words}. {stands}; the training itself goes on in memory. Free some space: the next "
    "try is {every:,} steps on.": "第 {step:,} 步没有存下检查点：{words}。{stands}；训练本身在内存中继续。"
    "请腾出一些空间：再过 {every:,} 步会再试。",
    " The SAE keeps the weights of step {step:,}.": "SAE 保留第 {step:,} 步的权重。",
    "no more memory": "没有更多内存",
    "Out of memory: {first:.160}. Make the store's batch_size smaller (the sizes of the SAE and of Adam's moments stay), "
    "or train fewer features; then go on from a checkpoint, or press the button to try again.": "内存不足：{first:.160}。"
    "请把 store 的 batch_size 设小（SAE 与 Adam 动量的大小不变），或减少特征数；然后从检查点继续，或按按钮再试一次。",
    "The disk is full. Free some space, then press the button: the run goes on where it stood.": "磁盘已满。"
    "请腾出一些空间，再按按钮：训练会从停下之处继续。",
    # -- superposition lab -------------------------------------------------------------------------------------------
    "1 feature": "1 个特征",
    "{n} features": "{n} 个特征",
    "{features} in 1 dimension": "1 维中有 {features}",
    "{features} in {m} dimensions": "{m} 维中有 {features}",
    "importance as recorded": "重要性如记录所示",
    "importance {decay:.3g} to the power i": "重要性为 {decay:.3g} 的 i 次方",
    "all equally important": "同等重要",
    ", on together in sets": "，成组同时激活",
    ", never on together in their sets": "，组内从不同时激活",
    "; each on in {share:.3g} % of inputs": "；每个在 {share:.3g} % 的输入中激活",
    "; trained on the same T = {several} inputs again and again": "；反复用同样的 T = {several} 个输入训练",
    "{features}{kind}; {importance}{density}{data}": "{features}{kind}；{importance}{density}{data}",
    "{described}. {counted}.": "{described}。{counted}。",
    "1 model": "1 个模型",
    "{n:,} models": "{n:,} 个模型",
    "{models} trained, the best shown": "训练了 {models}，显示最好的",
    "{models} of one setting, all shown, from the best to the worst": "同一设置的 {models}，全部显示，从最好到最差",
    "{models} of one setting, the best {shown} shown, from the best to the worst": "同一设置的 {models}，显示最好的 "
    "{shown} 个，从最好到最差",
    "{models}, {shown} of them shown": "{models}，显示其中 {shown} 个",
    "{models} trained, the best of each setting shown": "训练了 {models}，显示每种设置中最好的",
    "{models} trained, the best of each {n} shown": "训练了 {models}，每 {n} 个中显示最好的",
    "{best}, for {shown} of {settings} settings": "{best}（{settings} 种设置中的 {shown} 种）",
    "{what} of {features}:": "{features} 的{what}：",
    "model": "模型",
    "features represented": "得到表示的特征",
    "mean dimensionality": "平均特征维度",
    "one density per feature": "每个特征有自己的密度",
    "importances of their own": "自定的重要性",
    "data sets of several sizes": "几种大小的数据集",
    "How this run was trained is not recorded: the lab's own rate, batches and seed stand in": "没有记录这次训练的做法："
    "改用实验台自己的学习率、批次和种子",
    "Trained next: the run's recipe, but for {names}": "接下来的训练：沿用原来的做法，只有 {names} 不同",
    "Trained next: the run again, seed and all": "接下来的训练：完全重复，种子也相同",
    "No slider shows: {hidden}": "滑块显示不出：{hidden}",
    "No longer, as a slider was moved: {gone}": "移动滑块之后不再保留：{gone}",
    "{n:,} settings, {shown} of them on the sliders": "{n:,} 种设置，滑块上有其中 {shown} 种",
    "{n:,} models of each setting": "每种设置 {n:,} 个模型",
    "learning rate {rate:g}": "学习率 {rate:g}",
    "{rate}, {schedule}": "{rate}，{schedule}",
    "batches of {n:,}": "批次大小 {n:,}",
    "a data set of {n:,} inputs, not fresh ones": "{n:,} 个输入的数据集，而不是新的输入",
    "an attack of {share:g} of the mean length of x": "长度为 x 平均长度 {share:g} 倍的攻击",
    "n features": "特征数 n",
    "n hidden": "维数 m",
    "densities": "密度",
    "importance decay": "重要性衰减",
    "relation": "特征之间的关系",
    "set size": "每组特征数",
    "hidden": "隐藏层",
    "task": "任务",
    "l1": "L1 惩罚",
    "steps": "步数",
    "tries": "尝试数",
    "seed": "随机种子",
    "n instances": "模型数",
    "feature probability": "特征概率",
    "sets": "组",
    "batch size": "批次大小",
    "inputs": "输入",
    "data size": "数据集大小",
    "data seed": "数据种子",
    "optimizer": "优化器",
    "lr": "学习率",
    "schedule": "学习率安排",
    "weight decay": "权重衰减",
    "adversarial": "对抗攻击",
    "snapshots": "快照",
    "spacing": "快照间隔",
    "device": "设备",
    "constant": "恒定",
    "cosine": "余弦",
    "linear": "线性",
    "warmup": "预热",
    # -- charts: features --------------------------------------------------------------------------------------------
    "Feature {feature}": "特征 {feature}",
    "Feature {feature}: {label}": "特征 {feature}：{label}",
    "feature {feature}": "特征 {feature}",
    "feature {feature} of {sae}": "{sae} 的特征 {feature}",
    "#{feature} of {sae}": "{sae} 的 #{feature}",
    "activation (SAE units)": "激活值（SAE 单位）",
    "activation, SAE units": "激活值（SAE 单位）",
    "%{customdata[0]:.3g} to %{customdata[1]:.3g}<br>%{y:,} tokens (%{customdata[2]:.2%})<extra></extra>": "%{customdata[0]:.3g} "
    "到 %{customdata[1]:.3g}<br>%{y:,} 个词元（%{customdata[2]:.2%}）<extra></extra>",
    "Feature {feature} and {name}: r {pearson:.2f}, of yes and no {pearson_binary:.2f}": "特征 {feature} 与 {name}：r "
    "{pearson:.2f}，按是与否 {pearson_binary:.2f}",
    "a proxy": "代理指标",
    "activation (SAE units); active at {recall:.0%} of the tokens that say yes": "激活值（SAE 单位）；在判为“是”的词元中 "
    "{recall:.0%} 激活",
    "share of yes": "判为“是”的比例",
    "mean score": "平均分数",
    "%{customdata[0]:.3g} to %{customdata[1]:.3g}<br>%{y:,} tokens, %{customdata[2]:,} of them yes<br>mean score "
    "%{customdata[3]:.3g}<extra></extra>": "%{customdata[0]:.3g} 到 %{customdata[1]:.3g}<br>%{y:,} 个词元，其中 "
    "%{customdata[2]:,} 个为“是”<br>平均分数 %{customdata[3]:.3g}<extra></extra>",
    "{name}: direct effect on the next token": "{name}：对下一个词元的直接影响",
    "logits per unit of activation": "每单位激活值的 logit",
    "%{customdata[0]}  id %{customdata[1]}<br>%{x:+.4g}<extra></extra>": "%{customdata[0]}  编号 "
    "%{customdata[1]}<br>%{x:+.4g}<extra></extra>",
    "Density of {n:,} features": "{n:,} 个特征的密度",
    "; {silent:,} never fire": "；{silent:,} 个从未激活",
    "share of tokens on which a feature fires": "特征激活的词元所占比例",
    "%{customdata[0]:.2g} to %{customdata[1]:.2g}<br>%{y} features<extra></extra>": "%{customdata[0]:.2g} 到 "
    "%{customdata[1]:.2g}<br>%{y} 个特征<extra></extra>",
    "What the SAE finds in token {position}": "SAE 在词元 {position} 中找到什么",
    "activation %{customdata:.4g}<br>length %{x:.4g}<extra></extra>": "激活值 %{customdata:.4g}<br>长度 "
    "%{x:.4g}<extra></extra>",
    "How far the clamps moved each prediction": "钳制把每个预测推动了多远",
    "generated token": "生成的词元",
    "KL (nats)": "KL（nat）",
    "%{customdata[0]}<br>KL %{y:.3g} nats<br>probability %{customdata[1]:.2%}<extra></extra>": "%{customdata[0]}<br>KL "
    "%{y:.3g} nat<br>概率 %{customdata[1]:.2%}<extra></extra>",
    "An activation and what each feature reads of it": "一个激活向量，以及每个特征从中读到什么",
    "{name} reads {read:.4g}<extra></extra>": "{name}：读出 {read:.4g}<extra></extra>",
    "activation ({x:.4g}, {y:.4g})<extra></extra>": "激活（{x:.4g}，{y:.4g}）<extra></extra>",
    "Features by the direction of their decoder rows": "按解码器方向排布的特征",
    "density, log10": "密度（log10）",
    "never active, or not known": "从未激活，或未知",
    "in no cluster": "不属于任何聚类",
    "in a cluster": "属于某个聚类",
    "input score": "输入分数",
    "output score, log10": "输出分数（log10）",
    "not known": "未知",
    "no or another concept": "没有概念或属于其他概念",
    "Specificity of #{feature}: {claim} (judge: {name})": "#{feature} 的特异性：{claim}（评判者：{name}）",
    "score {score}": "{score} 分",
    "score {score}: %{{y:.0%}} of %{{customdata[2]}}<br>activation %{{customdata[0]:.3g}} to "
    "%{{customdata[1]:.3g}}<extra></extra>": "{score} 分：%{{customdata[2]}} 个中的 %{{y:.0%}}<br>激活值 "
    "%{{customdata[0]:.3g}} 到 %{{customdata[1]:.3g}}<extra></extra>",
    "95 % interval of 3": "3 分的 95 % 区间",
    "%{y:,} activations near %{x:.3g}<extra></extra>": "%{x:.3g} 附近有 %{y:,} 个激活<extra></extra>",
    # -- charts: quality ---------------------------------------------------------------------------------------------
    "best feature": "最佳特征",
    "best neuron": "最佳神经元",
    "best random direction": "最佳随机方向",
    "linear probe": "线性探针",
    "probe of 1 feature": "1 个特征的探针",
    "probe of {k} features": "{k} 个特征的探针",
    "Median {what} over {n} concepts: {medians}": "{n} 个概念的{what}中位数：{medians}",
    "{what} on documents that chose nothing": "未参与挑选的文档上的{what}",
    "<b>%{{y}}</b>, {name} %{{customdata[0]}}<br>{what} %{{x:.2f}}; precision %{{customdata[1]:.2f}}, recall "
    "%{{customdata[2]:.2f}}, AUROC %{{customdata[3]:.3f}}; %{{customdata[4]:,}} tokens<extra></extra>": "<b>%{{y}}</b>，{name} "
    "%{{customdata[0]}}<br>{what} %{{x:.2f}}；精确率 %{{customdata[1]:.2f}}，召回率 %{{customdata[2]:.2f}}，AUROC "
    "%{{customdata[3]:.3f}}；%{{customdata[4]:,}} 个词元<extra></extra>",
    "random neurons, with the others": "随机神经元，与其余神经元",
    "features, tokens shuffled": "特征，词元打乱",
    "{share:.0%} of {n:,} features reach |r| = {bound:g} with none of {n_neurons:,} neurons": "{n:,} 个特征中有 {share:.0%} "
    "与 {n_neurons:,} 个神经元中的任何一个都达不到 |r| = {bound:g}",
    "largest |r| with any neuron, over {n_tokens:,} tokens": "与任一神经元的最大 |r|，{n_tokens:,} 个词元",
    "share of the group": "占该组的比例",
    "{name}: median {median:.2f}": "{name}：中位数 {median:.2f}",
    "{shown}: {share:.0%} of {n}": "{shown}：{n} 个中的 {share:.0%}",
    "{shown}<br>%{{customdata}} concepts: %{{y:.0%}} have a feature<extra></extra>": "{shown}<br>%{{customdata}} 个概念："
    "%{{y:.0%}} 有特征<extra></extra>",
    "log10 of the share of tokens": "占词元比例的 log10",
    "log10 of that share x live features": "该比例 × 活特征数的 log10",
    "concepts with a feature of F1 {bound:g} or more": "有 F1 不低于 {bound:g} 的特征的概念",
    "One curve over frequency costs {loss:.3f} nats per concept, over frequency x features {rescaled:.3f}": "一条曲线的代价："
    "按频率，每个概念 {loss:.3f} nat；按频率 × 特征数，{rescaled:.3f} nat",
    "<b>{concept}</b>, {frequency:.2g} of the tokens": "<b>{concept}</b>，占词元的 {frequency:.2g}",
    "best feature {feature}, F1 {f1:.2f}": "最佳特征 {feature}，F1 {f1:.2f}",
    "feature {feature} fires on {recall:.0%} of it; {precision:.0%} of where that fires is it": "特征 {feature} 在其 "
    "{recall:.0%} 上激活；它激活之处有 {precision:.0%} 是该概念",
    "What the SAE keeps (1: everything)": "SAE 保留了多少（1：全部）",
    "explained variance": "解释方差",
    "cosine of x and x̂": "x 与 x̂ 的余弦",
    "|x̂| / |x|": "|x̂| / |x|",
    "loss recovered, over zeros": "损失恢复率，相对于零",
    "loss recovered, over the mean": "损失恢复率，相对于均值",
    "KL recovered, over zeros": "KL 恢复率，相对于零",
    "KL recovered, over the mean": "KL 恢复率，相对于均值",
    "{dead_share:.1%} dead in {dead_window:,} tokens": "{dead_window:,} 个词元中 {dead_share:.1%} 为死特征",
    "Firing density; {n_dead:,} of {n:,} never fired in {n_tokens:,} tokens": "激活密度；{n:,} 个中有 {n_dead:,} 个在 "
    "{n_tokens:,} 个词元中从未激活",
    "usual": "通常",
    "ultralow": "超低密度",
    "alignment": "编码器与解码器的余弦",
    "encoder bias": "编码器偏置",
    "enc · dec cosine": "编码器 · 解码器余弦",
    "%{customdata[0]:.2g} to %{customdata[1]:.2g} of the tokens<br>%{y} features<extra></extra>": "占词元的 "
    "%{customdata[0]:.2g} 到 %{customdata[1]:.2g}<br>%{y} 个特征<extra></extra>",
    "feature %{{customdata[0]:.0f}}<br>fires on %{{customdata[1]:.2g}} of the tokens<br>{key} %{{y:.3g}}<extra></extra>": "特征 "
    "%{{customdata[0]:.0f}}<br>激活的词元占 %{{customdata[1]:.2g}}<br>{key} %{{y:.3g}}<extra></extra>",
    "Best feature of {n} concepts: median F1 {median:.2f}": "{n} 个概念的最佳特征：F1 中位数 {median:.2f}",
    "; {missing} not seen in both halves": "；{missing} 个没有同时出现在两半中",
    "<b>%{customdata[0]}</b>, feature %{customdata[1]}<br>precision %{y:.2f}, recall %{x:.2f}, F1 "
    "%{customdata[2]:.2f}<br>AUROC %{customdata[3]:.3f}; %{customdata[4]:,} tokens; %{customdata[5]} features share "
    "it<extra></extra>": "<b>%{customdata[0]}</b>，特征 %{customdata[1]}<br>精确率 %{y:.2f}，召回率 %{x:.2f}，F1 "
    "%{customdata[2]:.2f}<br>AUROC %{customdata[3]:.3f}；%{customdata[4]:,} 个词元；由 %{customdata[5]} 个特征分担<extra></extra>",
    "Absorbed: {rate:.2%} of {tokens:,} tokens": "被吸收：{tokens:,} 个词元中的 {rate:.2%}",
    "Absorption: no token to count": "吸收：没有可计数的词元",
    "share of the specific concept's tokens": "占具体概念的词元的比例",
    "{child} in {parent}": "{parent} 中的 {child}",
    "absorbed by the specific feature": "被具体特征吸收",
    "silent for another reason": "因其他原因未激活",
    "%{y}: %{customdata[0]} absorbed, %{customdata[1]} silent of %{customdata[2]} tokens<br>feature %{customdata[3]} of "
    "the specific concept<extra></extra>": "%{y}：%{customdata[2]} 个词元中 %{customdata[0]} 个被吸收，%{customdata[1]} "
    "个未激活<br>具体概念的特征 %{customdata[3]}<extra></extra>",
    "{children:,} features of the larger SAE continue {continued:,} of {n:,}": "较大 SAE 的 {children:,} 个特征延续了 "
    "{n:,} 个中的 {continued:,} 个",
    "children in the larger SAE": "在较大 SAE 中的子特征数",
    "features of the smaller SAE": "较小 SAE 的特征",
    "Features that share one of {n} concepts": "分担 {n} 个概念之一的特征",
    "%{{y:,}} {y} with %{{x}}<extra></extra>": "%{{y:,}} 个{y}，数值为 %{{x}}<extra></extra>",
    "{found:,} features found again: median correlation {median:.2f}, {mutual:,} mutual": "再次找到 {found:,} 个特征："
    "相关系数中位数 {median:.2f}，互为最佳 {mutual:,} 个",
    "mutual best": "互为最佳",
    "one way": "单向",
    "by chance": "偶然",
    "correlation %{x:.2f}<br>%{y} features<extra></extra>": "相关系数 %{x:.2f}<br>%{y} 个特征<extra></extra>",
    "feature %{customdata[0]} and %{customdata[1]}<br>activations %{x:.2f}, logits %{y:.2f}<extra></extra>": "特征 "
    "%{customdata[0]} 与 %{customdata[1]}<br>激活 %{x:.2f}，logit %{y:.2f}<extra></extra>",
    "tokens shuffled: best correlation %{x:.2f}<br>%{y} features<extra></extra>": "词元打乱：最佳相关系数 "
    "%{x:.2f}<br>%{y} 个特征<extra></extra>",
    "correlation of activations": "激活的相关系数",
    "correlation of logit effects": "logit 影响的相关系数",
    "{first} and {second}: r = {correlation:.2f} over {n:,} tokens": "{first}与{second}：r = {correlation:.2f}，{n:,} 个词元",
    "logit effect of {feature}": "{feature}的 logit 影响",
    "of {feature}": "{feature}的影响",
    # -- charts: training --------------------------------------------------------------------------------------------
    "Fraction of variance unexplained": "未解释方差比例",
    "Active features per token": "每个词元的激活特征数",
    "Share of dead features": "死特征的比例",
    "step %{{x:,}}<br>{title}: %{{y:.4g}}<extra></extra>": "第 %{{x:,}} 步<br>{title}：%{{y:.4g}}<extra></extra>",
    "What each active feature buys": "每个激活的特征换来什么",
    "active features per token": "每个词元的激活特征数",
    "variance unexplained": "未解释方差",
    "How often features fire ({silent:,} of {n:,} never did)": "特征激活有多频繁（{n:,} 个中有 {silent:,} 个从未激活）",
    "share of tokens": "占词元的比例",
    "%{customdata[0]:.2g} to %{customdata[1]:.2g} of tokens: %{y:,} features<extra></extra>": "%{customdata[0]:.2g} 到 "
    "%{customdata[1]:.2g} 的词元：%{y:,} 个特征<extra></extra>",
    "Sizes at equal compute": "同等算力下的不同宽度",
    "compute {budget:.3g}<br>%{{x:,}} features: %{{y:.4g}}<extra></extra>": "算力 {budget:.3g}<br>%{{x:,}} 个特征："
    "%{{y:.4g}}<extra></extra>",
    "compute %{x:.3g}: %{y:.4g}<extra></extra>": "算力 %{x:.3g}：%{y:.4g}<extra></extra>",
    "compute (operations)": "算力（运算次数）",
    # -- charts: toy models ------------------------------------------------------------------------------------------
    "density {p:.3g}": "密度 {p:.3g}",
    "model {number}": "模型 {number}",
    "Directions of the features": "特征的方向",
    "feature {i}: length {length:.3f}<extra></extra>": "特征 {i}：长度 {length:.3f}<extra></extra>",
    "What is read of what: {model_name}": "谁从谁读到什么：{model_name}",
    "feature %{x} adds %{z:.3f}<br>to the read-out of %{y}<extra></extra>": "特征 %{x} 给 %{y} 的读出<br>加上 "
    "%{z:.3f}<extra></extra>",
    "bias of feature %{y}: %{z:.3f}<extra></extra>": "特征 %{y} 的偏置：%{z:.3f}<extra></extra>",
    "feature that is on": "激活的特征",
    "feature that is read": "读出的特征",
    "Represented, and shared? {model_name}": "得到表示了吗，与谁共享？{model_name}",
    "feature %{x}<br>|W| %{y:.3f}<br>superposition %{customdata:.3f}<extra></extra>": "特征 %{x}<br>|W| %{y:.3f}<br>叠加 "
    "%{customdata:.3f}<extra></extra>",
    "Feature dimensionality": "特征维度",
    "1 / density (log scale)": "1 / 密度（对数刻度）",
    "dimensions for each feature": "每个特征的维数",
    "feature %{customdata}<br>D %{y:.3f}<br>1/density %{x:.3g}<extra></extra>": "特征 %{customdata}<br>D "
    "%{y:.3f}<br>1/密度 %{x:.3g}<extra></extra>",
    "Hidden dimensions per feature": "每个特征的隐藏维数",
    "1/density %{x:.3g}<br>m / |W|² %{y:.3f}<extra></extra>": "1/密度 %{x:.3g}<br>m / |W|² %{y:.3f}<extra></extra>",
    "What each neuron listens to: {model_name}": "每个神经元接收什么：{model_name}",
    "feature {i}<br>neuron %{{customdata}}<br>weight %{{y:.3f}}<extra></extra>": "特征 {i}<br>神经元 "
    "%{{customdata}}<br>权重 %{{y:.3f}}<extra></extra>",
    "Learning: {model_name}": "学习过程：{model_name}",
    "step %{customdata:,}<br>loss %{y:.4g}<extra></extra>": "第 %{customdata:,} 步<br>损失 %{y:.4g}<extra></extra>",
    "step %{{customdata:,}}<br>D of feature {i}: %{{y:.3f}}<extra></extra>": "第 %{{customdata:,}} 步<br>特征 {i} 的 D："
    "%{{y:.3f}}<extra></extra>",
    "feature {i}<br>D {share:.3f}<extra></extra>": "特征 {i}<br>D {share:.3f}<extra></extra>",
    "Superposition makes vulnerable": "叠加使模型脆弱",
    "vulnerability, against no superposition": "脆弱性，相对于无叠加",
    "features per dimension": "每维的特征数",
    "Training inputs, from few to many": "训练输入，从少到多",
    "share of a dimension": "占一维的份额",
    "on fresh inputs": "在新的输入上",
    "on its own data": "在自己的数据上",
    "training inputs": "训练输入",
    "training inputs T": "训练输入数 T",
    "Features above, training inputs below": "上：特征；下：训练输入",
    "feature %{pointNumber}": "特征 %{pointNumber}",
    "input %{pointNumber}": "输入 %{pointNumber}",
    "Shares of the hidden coordinates": "隐藏坐标的份额",
    "coordinate, the largest first": "坐标，最大的在前",
    "share of |h|²": "占 |h|² 的份额",
    "model {number}: kurtosis {kurtosis:.1f}": "模型 {number}：峰度 {kurtosis:.1f}",
    "density of every feature": "每个特征的密度",
    "importance of the extra feature": "额外特征的重要性",
    "number of features": "特征数",
    "Trained, best of {n} a cell": "训练所得，每格 {n} 个中最好的",
    "Trained, mean of {n} a cell": "训练所得，每格 {n} 个的平均",
    "What becomes of the extra feature": "额外特征会怎样",
    "its own": "独占",
    "not learned": "未学到",
    "in superposition": "处于叠加态",
    "a dimension of its own": "独占一维",
    "density {density:.3g}, importance {importance:.3g}": "密度 {density:.3g}，重要性 {importance:.3g}",
    "<br>|W| {norm:.2f}, superposition {shared:.2f}<br>loss {loss:.4g}": "<br>|W| {norm:.2f}，叠加 {shared:.2f}<br>损失 "
    "{loss:.4g}",
    # -- the experiments of the papers -------------------------------------------------------------------------------
    "Small models": "小模型",
    "Many equal features": "许多同等的特征",
    "Correlated features": "相关的特征",
    "Learning and cost": "学习与代价",
    "Neurons and computation": "神经元与计算",
    "Follow-up papers": "后续论文",
    "Five features in two dimensions": "两维中的五个特征",
    "Two dimensions hold two orthogonal directions. What does the model do with five features once they are rare?": "两维"
    "容得下两个正交方向。五个特征变得稀疏之后，模型会怎样安排它们？",
    "The number of long arrows, two, four, five, and the angles between them as features become rarer.": "特征越来越稀疏时，"
    "长箭头的数目（两个、四个、五个）以及它们之间的夹角。",
    "Dense: the two most important, orthogonal. On in 20 %: four of them, as two antipodal pairs. On in 10 %: all five, a "
    "pentagon.": "密集时：最重要的两个，互相正交。20 % 激活时：四个，成两个对跖对。10 % 激活时：五个全有，成五边形。",
    "Twenty features in five dimensions": "五维中的二十个特征",
    "As features become rare, which of the fifteen that do not fit come in first, and at whose side?": "特征变得稀疏时，"
    "放不下的十五个中哪些先进来，又挨着谁？",
    "Blocks beside the diagonal of W′W: a blue entry is a pair of opposites. The bars say who shares.": "W′W 对角线旁边的块："
    "蓝色的项是一对相反的特征。柱表示哪些特征在共享。",
    "Dense: the five most important, orthogonal. Sparser: less important ones enter, as antipodal pairs; biases are 0 for "
    "the features that have a dimension and E[x] for those ignored.": "密集时：最重要的五个，互相正交。更稀疏时："
    "较不重要的以对跖对的形式进来；占有一维的特征偏置为 0，被忽略的特征偏置为 E[x]。",
    "The same without ReLU": "同样的设置，去掉 ReLU",
    "A linear model cannot filter interference. How many features does it keep at each density?": "线性模型滤不掉干扰。"
    "在各种密度下它保留多少个特征？",
    "The same five bars in every model, however rare the features are.": "无论特征多么稀疏，每个模型都是同样的五个柱。",
    "Five, orthogonal, at every density: principal components.": "在每种密度下都是五个，互相正交：即主成分。",
    "Eighty features in twenty dimensions": "二十维中的八十个特征",
    "Is it a matter of small numbers?": "这只是因为数目小吗？",
    "The same sequence of pictures as with twenty features in five dimensions, four times as large.": "与五维中二十个特征"
    "同样的一系列图，大四倍。",
    "A rescaled copy of the twenty features in five dimensions.": "五维中二十个特征的放大版。",
    "Features for each dimension": "每维的特征数",
    "All features matter alike. As they become rare, does the number that fit in a dimension grow smoothly?": "所有特征"
    "同等重要。它们变得稀疏时，一维容得下的数目是平滑增长的吗？",
    "Where the line m/|W|² rests while the density falls: at 1, and at 1/2.": "密度下降时，m/|W|² 的线停在何处：1 处和 1/2 处。",
    "No: it sticks at one dimension a feature, and at half a dimension.": "不是：它停留在每个特征一维，以及每个特征半维。",
    "Dimensionality of every feature": "每个特征的维度",
    "Which share of a dimension can a feature have?": "一个特征可以占有一维的多大份额？",
    "Rows of dots on the dashed lines, and gaps between them.": "虚线上的成排的点，以及它们之间的空隙。",
    "Clusters at 2/3, 1/2, 2/5 and 3/8, the shares in a triangle, digon, pentagon and square antiprism; and 0. The "
    "tetrahedron's 3/4 is clean only with few features for their dimensions, such as 22 in 15.": "聚集在 2/3、1/2、2/5 和 "
    "3/8，即三角形、二角形、五边形和四方反棱柱中的份额；还有 0。四面体的 3/4 只有在特征数相对维数较少时才清晰，例如 15 维 22 个。",
    "One feature of five changes its density": "五个特征中有一个改变密度",
    "Five equal features form a pentagon. One becomes rarer. Does the pentagon deform for ever?": "五个同等的特征构成五边形。"
    "其中一个变得更稀疏。五边形会一直变形下去吗？",
    "The density at which the lower of the two loss curves changes, and the pentagon losing an arrow there.": "两条损失曲线"
    "中较低者易位时的密度，以及五边形在那里失去一个箭头。",
    "It deforms, then jumps: when the one is 3.7 times rarer, the other four become two antipodal pairs and it is dropped. "
    "The paper says about 2.5, which is where it jumps when the others are on in 10 %.": "先变形，再突变：当它稀疏到 "
    "3.7 倍时，另外四个变成两个对跖对，它被舍弃。论文说约为 2.5 倍，那是其他特征 10 % 激活时的突变处。",
    "Two correlated pairs": "两个相关对",
    "Features that come together: side by side, opposite, or at a right angle?": "一起出现的特征：并排、相反，还是垂直？",
    "The color of a set: its two arrows stand at a right angle, each opposite one of the other set.": "一组的颜色："
    "它的两个箭头互相垂直，各与另一组的一个相反。",
    "Orthogonal, where there is room.": "只要有空间，就正交。",
    "Two anticorrelated pairs": "两个反相关对",
    "And features that never come together?": "从不一起出现的特征呢？",
    "The color of a set: its two arrows point in opposite directions, and the loss is nearly 0.": "一组的颜色："
    "它的两个箭头方向相反，损失接近 0。",
    "Opposite.": "相反。",
    "Three correlated pairs": "三个相关对",
    "Three pairs in two dimensions cannot all be orthogonal. What next?": "两维中的三对不可能都正交。那会怎样？",
    "Arrows of one color side by side. In some models two of them fall on one another.": "同色的箭头并排。在有些模型中，"
    "其中两个重合。",
    "Side by side, in a hexagon; often a pair collapses into one direction.": "并排，成六边形；常有一对塌缩成一个方向。",
    "Two correlated sets of ten": "两个十元相关组",
    "Each set is often on together. Where does the interference go?": "每一组常常一同激活。干扰落在哪里？",
    "Two blocks of W′W that are nearly the identity; what shares a direction is between the blocks.": "W′W 的两个近似单位"
    "矩阵的块；共享方向的在两块之间。",
    "Within a set features are nearly orthogonal; they share their directions with those of the other set.": "组内的特征"
    "几乎正交；它们与另一组的特征共享方向。",
    "Collapse into principal components": "塌缩成主成分",
    "When does a pair of correlated features become one direction?": "一对相关的特征何时变成一个方向？",
    "How many pairs of one color have fallen on one another in each model, from the densest to the rarest.": "从最密到最稀疏，"
    "每个模型中有多少对同色的箭头重合。",
    "Above 50 % only principal components; from 40 % all pairs collapsed (the paper: from 25 %); from 30 to 15 % two, "
    "around 10 % one, below 5 % none.": "高于 50 %：只有主成分；40 % 起：全部塌缩（论文：25 % 起）；30 到 15 %：两对；"
    "10 % 左右：一对；低于 5 %：没有。",
    "Energy levels": "能级",
    "Watch each feature's share of a dimension while the model learns. Does it rise smoothly?": "观察模型学习时每个特征所占的"
    "维度份额。它是平滑上升的吗？",
    "Play the training: dots that jump from one dashed line to the next, and a loss that falls in steps.": "播放训练过程："
    "点从一条虚线跳到下一条，损失一级一级地下降。",
    "It jumps from one level to the next, and the loss falls at the same moments.": "它从一级跳到下一级，损失在同一时刻下降。",
    "Learning as geometry": "作为几何的学习",
    "Two sets of three correlated features in three dimensions. Through which shapes does the model pass?": "三维中的两组、"
    "每组三个相关特征。模型会经过哪些形状？",
    "Play the training and turn the picture: shapes that last for a while, at last an octahedron.": "播放训练过程并旋转图形："
    "有些形状会持续一阵，最后成为八面体。",
    "It ends as an octahedron, each feature opposite one of the other set, after several regimes; some starts stay "
    "skewed.": "经过几个阶段，最后成为八面体，每个特征与另一组的一个相反；有些起点会停在歪斜的形状。",
    "Adversarial examples": "对抗样本",
    "Interference can be used against the model. Does superposition make it vulnerable?": "干扰可以用来对付模型。叠加会使它脆弱吗？",
    "Vulnerability and features per dimension rise together.": "脆弱性与每维的特征数一同上升。",
    "Vulnerability rises with the number of features per dimension, and faster: more than threefold where that has "
    "doubled.": "脆弱性随每维的特征数上升，而且更快：后者翻倍时，前者超过三倍。",
    "A privileged basis": "特权基",
    "With a ReLU on the hidden layer a neuron is a thing of its own. When does it stand for one feature?": "隐藏层有 ReLU 时，"
    "神经元是独立的单元。它何时代表一个特征？",
    "Rows of W with one color, then with several: a neuron for one feature, then for more.": "W 的行先是一种颜色，后是几种："
    "一个神经元先对应一个特征，后对应几个。",
    "Dense: one feature a neuron. Sparser: some neurons, then all, hold several.": "密集时：每个神经元一个特征。更稀疏时："
    "先是一些神经元、后是全部神经元各含几个特征。",
    "The absolute value": "绝对值",
    "How can ReLU neurons compute |x|?": "ReLU 神经元如何计算 |x|？",
    "Six rows of W with one color each: of each feature one neuron reads + and one reads −.": "W 的六行各有一种颜色："
    "每个特征由一个神经元读正值，一个读负值。",
    "Two neurons a feature, ReLU(x) and ReLU(-x).": "每个特征两个神经元：ReLU(x) 和 ReLU(-x)。",
    "Computing in superposition": "叠加态中的计算",
    "A hundred absolute values with forty neurons: only twenty, or more?": "四十个神经元算一百个绝对值：只能算二十个，还是更多？",
    "How many features are represented by forty neurons, and from which density on no row has one color.": "四十个神经元表示了"
    "多少个特征，以及从哪种密度起没有一行是单色的。",
    "Sparse enough, far more: neurons of one feature first, then mixed, then all of several.": "足够稀疏时多得多：神经元起初"
    "各对应一个特征，然后混合，最后都对应几个。",
    "Asymmetric superposition": "非对称叠加",
    "How can one neuron serve two features that must not disturb one another?": "一个神经元怎样服务于两个不得互相打扰的特征？",
    "A neuron with a large weight into one feature and a small one into another, in W and reversed in the read-out.": "一个"
    "神经元在 W 中对一个特征权重大、对另一个权重小，在读出中则相反。",
    "Large weight in and small weight out for one, the reverse for the other, and a neuron that inhibits what leaks.": "一个"
    "特征输入权重大、输出权重小，另一个相反，再有一个神经元抑制泄漏的部分。",
    "A penalty that removes superposition": "消除叠加的惩罚",
    "An L1 penalty on the hidden layer makes interference dear. What does the model give up?": "隐藏层上的 L1 惩罚使干扰变得"
    "昂贵。模型会放弃什么？",
    "The number of long bars, and their color: what is kept has a dimension to itself.": "长柱的数目和颜色：保留下来的各独占一维。",
    "Superposition vanishes, and with it the less important features: the loss rises.": "叠加消失了，较不重要的特征也随之消失："
    "损失上升。",
    "Memorization and double descent": "记忆与双下降",
    "A hundred features in two dimensions, trained again and again on the same few inputs. What does the model put in "
    "superposition, features or inputs?": "两维中的一百个特征，反复用同样的少数输入训练。模型把什么放进叠加态，特征还是输入？",
    "Few inputs: the hidden vectors of the inputs form a polygon. Many: five features do. Between the two the loss on "
    "fresh inputs peaks.": "输入少时：输入的隐藏向量构成多边形。多时：由五个特征构成。两者之间，新输入上的损失达到峰值。",
    "Few inputs: the inputs, each with 2/T of a dimension. Many: five features, a pentagon. In between neither, and the "
    "loss on fresh inputs is several times as high as on either side: double descent.": "输入少时：是输入，每个占 2/T 维。"
    "多时：是五个特征，成五边形。两者之间都不是，新输入上的损失是两侧的几倍：双下降。",
    "Adam makes a privileged basis": "Adam 造成特权基",
    "Nothing in this linear hidden layer knows its coordinates, and a turned W gives the same outputs. Does training with "
    "Adam keep it so?": "这个线性隐藏层对坐标一无所知，旋转后的 W 给出同样的输出。用 Adam 训练会保持这一点吗？",
    "Matrix, coordinates of the hidden layer: one of sixteen has most of |h|², the mean of all features.": "看“矩阵与点”中"
    "隐藏层的坐标：十六个中的一个占去 |h|² 的大部分，即所有特征的平均。",
    "No: one or two coordinates become outliers, and the kurtosis of h is several times what a random basis has. With "
    "gradient descent (M24-privileged-sgd) it is as in a random basis.": "不会：有一两个坐标成为离群值，h 的峰度是随机基的几倍。"
    "用梯度下降时（M24-privileged-sgd）则与随机基一样。",
    "The same with gradient descent": "同样的设置，改用梯度下降",
    "Gradient descent turns with W: started from a turned W, it ends at the turned W. Are there outliers left?": "梯度下降随 "
    "W 一起旋转：从旋转后的 W 出发，就到达旋转后的 W。还有离群值吗？",
    "Matrix, coordinates of the hidden layer: all have about as much, none stands out.": "看“矩阵与点”中隐藏层的坐标："
    "各坐标差不多，没有突出的。",
    "None: the kurtosis of h is that of a random basis, at about the same loss.": "没有：h 的峰度与随机基相同，损失也大致相同。",
    "Composition: six colors, six shapes": "组合：六种颜色，六种形状",
    "Each input is a color and a shape, and a few of the 36 combinations never come up in training. Does the model give "
    "those back too?": "每个输入是一种颜色和一种形状，36 种组合中有几种从未在训练中出现。模型也能还原它们吗？",
    "The loss on fresh inputs: it falls to 0 in the best models, though some combinations were never seen.": "新输入上的损失："
    "在最好的模型中降到 0，尽管有些组合从未见过。",
    "Yes: colors and shapes are features of their own, twelve in four dimensions, and a combination never seen is given "
    "back as well as the others.": "能：颜色和形状各自是特征，四维中共十二个；从未见过的组合也还原得一样好。",
    "One feature per item": "每个物品一个特征",
    "The same 36 items in the same four dimensions, but each a feature of its own. What happens to those never seen?": "同样的 "
    "36 个物品，同样的四维，但每个物品自成一个特征。从未见过的会怎样？",
    "Features without a bar: the items that the data set does not have.": "没有柱的特征：数据集中没有的物品。",
    "They are lost, all of them: nothing in the other items says what they are. The items seen fit into four dimensions, "
    "as only one is on at a time.": "全部丢失：其他物品中没有任何东西说明它们是什么。见过的物品放得进四维，因为每次只有一个激活。",
    "Phase diagram: two features, one dimension": "相图：两个特征，一维",
    "One dimension, two features. When is the second left out, when does it get the dimension, when do both share?": "一维，"
    "两个特征。第二个何时被舍弃，何时得到这一维，何时两者共享？",
    "Where the color changes along the line of equal importance, and whether the borders of the theory lie there.": "沿同等"
    "重要性的线颜色在哪里改变，理论边界是否也在那里。",
    "Rare: shared, whatever the importance. Dense: the more important of the two has the dimension. The borders are "
    "sharp.": "稀疏时：无论重要性如何都共享。密集时：较重要的一个占有这一维。边界很清晰。",
    "Phase diagram: three features, two dimensions": "相图：三个特征，两维",
    "Two features of importance 1 and an extra one: who shares, and with whom?": "两个重要性为 1 的特征，外加一个：谁与谁共享？",
    "The region in which the extra feature has a dimension of its own because the two others share one.": "额外特征独占一维"
    "的区域，因为另外两个共享一维。",
    "Three phases again. Rare and important, the extra one has a dimension to itself while the others are a "
    "pair.": "又是三个相。稀疏而重要时，额外特征独占一维，另外两个成对。",
}

TOLD: dict[str, str] = {
    # -- of records --------------------------------------------------------------------------------------------------
    "{architecture}, {n} features, {sparsity}": "{architecture}，{n} 个特征，{sparsity}",
    "does the judge tell windows in which the feature is active, unmarked? Balanced accuracy": "评判者能否认出该特征激活的"
    "窗口（不作标记）？平衡准确率",
    "does the judge tell rightly marked tokens from wrongly marked ones? Balanced accuracy": "评判者能否区分标对与标错的"
    "词元？平衡准确率",
    "does the judge find the inactive window among {size}?": "评判者能否在 {size} 个窗口中找出未激活的那个？",
    "how many of 14 windows (2 strongest, 2 by strength, 10 inactive) does the judge tell rightly?": "14 个窗口（2 个最强，"
    "2 个按强度抽取，10 个未激活）中评判者判对多少？",
    "does the judge tell tokens that the feature promotes (ranks 10 to 60) from random ones?": "评判者能否把该特征促进的词元"
    "（第 10 到 60 名）与随机词元区分开？",
    "step {step}: the {what} is {value}; the weights are still those of step {before}. Look for bad values in the batch, or "
    "lower lr.": "第 {step} 步：{what} 为 {value}；权重仍是第 {before} 步的。请检查批次中的异常值，或减小 lr。",
    # -- of exceptions -----------------------------------------------------------------------------------------------
    "a page cannot set {names}: it was left as it is": "网页不能设置 {names}：保持原样",
    "{name} must be a text or a dialogue, not {value}": "{name} 必须是文本或对话，不能是 {value}",
    "{name} must be a whole number from {low} to {high}, not {value}": "{name} 必须是 {low} 到 {high} 的整数，不能是 {value}",
    "{name} must be a number from {low} to {high}, not {value}": "{name} 必须是 {low} 到 {high} 的数，不能是 {value}",
    "{name} must be a number, not {value}": "{name} 必须是数，不能是 {value}",
    "{name} must lie between {low} and {high}, not {value}": "{name} 必须在 {low} 与 {high} 之间，不能是 {value}",
    "the temperature must lie between 0 and 10, not {value}": "温度必须在 0 与 10 之间，不能是 {value}",
    "feature {feature}: a multiple must be a number from {low} to {high}, not {value}": "特征 {feature}：倍数必须是 {low} 到 "
    "{high} 的数，不能是 {value}",
    "a density is the share of inputs in which a feature is on, above 0 to 1, not {value}": "密度是特征激活的输入所占比例，"
    "大于 0、至多 1，不能是 {value}",
    "token {position} is not in this text of {n} tokens": "这段文本有 {n} 个词元，没有词元 {position}",
    "token {position} is not in this text: its tokens are 0 to {last}": "这段文本没有词元 {position}：它的词元是 0 到 {last}",
    "there is no token {position}: this text has tokens 0 to {last}": "没有词元 {position}：这段文本的词元是 0 到 {last}",
    "{n} answers are there, which is the most: move a slider or change the prompt for others": "已有 {n} 个回答，这是上限："
    "移动滑块或更改提示词，可得到新的回答",
    "the recording holds no more seeds than {seeds}": "录制只有这些随机种子：{seeds}",
    "a text is continued, not answered: set panel.prompt = sw.Dialogue([('user', 'Who are you?')])": "普通文本只能续写，"
    "不能回答：请设 panel.prompt = sw.Dialogue([('user', 'Who are you?')])",
    "this SAE has features 0 to {last}, not {feature}": "这个 SAE 的特征是 0 到 {last}，没有 {feature}",
    "these records do not say of which SAE they are, so no label can be tied to it: make them again with "
    "dashboard_data": "这些记录没有写明属于哪个 SAE，因此无法附加标签：请用 dashboard_data 重新生成",
    "a token is [context, position], both 0 or more, not {value}": "词元写作 [context, position]，两者都不小于 0，不能是 {value}",
    "an interval is [feature, low, high] with low <= high, not {value}": "区间写作 [feature, low, high]，且 low <= high，不能是 "
    "{value}",
    "a multiple must be a finite number, not {value}": "倍数必须是有限的数，不能是 {value}",
    "a score is 0, 1, 2 or 3, or None for all, not {value}": "分数是 0、1、2 或 3，None 表示全部，不能是 {value}",
    "point {point} does not exist: this map has 0 to {last}": "没有点 {point}：这张地图的点是 0 到 {last}",
    "the point must lie within {low} to {high} on both axes, not at ({x}, {y})": "点在两轴上都必须在 {low} 到 {high} 之内，不能在 "
    "({x}, {y})",
    "{n} directions need as many labels, not {labels}": "{n} 个方向需要同样多的标签，不能是 {labels} 个",
    "the plane takes one to {most} directions, not {n}": "平面上可有 1 到 {most} 个方向，不能是 {n} 个",
    'name the next token first, as it is spelled, such as " Bridge" with its space': "请先写出下一个词元，照原样拼写，例如带空格的 "
    '" Bridge"',
    "pick a feature first": "请先选一个特征",
    "feature {feature} is nowhere active in this text: ablating it changes nothing": "特征 {feature} 在这段文本中没有激活："
    "消融它不会改变什么",
    "no feature is active here: there is nothing to ablate": "这里没有特征激活：没有可消融的",
    "at most {n} texts stand beside the one in front, not {given}": "旁边至多放 {n} 段文本，不能是 {given} 段",
    "at most {n} features can be pinned at once; unpin one of {pins} first": "最多同时固定 {n} 个特征；请先取消 {pins} 中的一个",
    "this probe shows a saved reading, whose text stays as it is": "这个探针显示的是保存的读取结果，文本不能更改",
    "{word} does not stand in the text": "文本中没有 {word}",
    "a feature is a number from 0, not {value}": "特征是从 0 起的编号，不能是 {value}",
    "a feature is a number, such as 31, not {value}": "特征是编号，例如 31，不能是 {value}",
    "write the next token on one line, and on a second, if any, what it is compared with": "请在第一行写下一个词元，"
    "如有需要，在第二行写与之相比的词元",
    "write what should follow the prompt, one continuation per line": "请写出应当接在提示词之后的文本，每行一段",
    "a classifier needs {least} {name} texts or more, not {given}": "分类器至少需要 {least} 段 {name} 文本，不能是 {given} 段",
    "no feature is stronger in one of these texts than in another: give others, or more": "没有特征在其中一段文本中比另一段更强："
    "请换一些文本，或多给一些",
    "give at least one positive text: without one, every silent feature would be found": "请至少给一段含有它的文本："
    "否则每个未激活的特征都会被找到",
    "the models are still training; call wait() first": "模型仍在训练；请先调用 wait()",
    "no SAE is trained yet; call recover() and wait(), or press the button": "还没有训练 SAE；请调用 recover() 和 wait()，或按按钮",
    "the text has no tokens, and {name} puts none before it: write something": "文本没有词元，{name} 也不会在前面添加：请写点什么",
    "{name} has no beginning-of-text token, so it needs a prompt to continue": "{name} 没有文本起始词元，因此需要一段提示词来续写",
    "{n} tokens do not fit: the context of {name} is {room} tokens; take {more} off": "{n} 个词元放不下：{name} 的上下文是 "
    "{room} 个词元；请去掉 {more} 个",
    "scope {scope} covers nothing: the model reads {n} tokens here, numbers 0 to {last}, {prompt} of them the prompt's: "
    "choose an earlier position, or more tokens": "作用范围 {scope} 没有覆盖任何词元：模型在这里读取 {n} 个词元，编号 0 到 "
    "{last}，其中 {prompt} 个属于提示词。请选择更早的位置，或更多的词元",
    "scope {scope} covers nothing of a prompt of {n} tokens": "作用范围 {scope} 没有覆盖这段 {n} 个词元的提示词的任何部分",
    "the logits are not finite {where}: the activations overflow in {dtype}, or the edit gives nan: use a weaker clamp, or "
    "mend the edit": "logit 不再是有限值（{where}）：激活在 {dtype} 中溢出，或干预给出了 nan：请用较弱的钳制，或修正干预",
    "unknown {kind} {name}; nearest: {near}": "没有名为 {name} 的 {kind}；最接近的是：{near}",
    "there is no feature to show: this dashboard is empty": "没有可显示的特征：这个面板是空的",
}
